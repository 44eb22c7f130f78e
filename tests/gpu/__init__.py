"""What only a GPU can show; `./run.sh test -m gpu` on a machine with one."""
