"""`python -m kit VERB`: what `run.sh` starts once the environment is there."""

from kit.entry import main

main()
