"""What only a GPU can show; `./run.sh test -m gpu -n 0` on a machine with one."""
