# Completion of ./run.sh for fish: ./run.sh completion fish | source

set -g __pebench_project @PROJECT@

function __pebench_is_called
    set -l words (commandline -opc)
    test (realpath -- $words[1]) = $__pebench_project/run.sh
end

function __pebench_candidates
    set -l words (commandline -opc) (commandline -ct)
    $__pebench_project/docker/complete.sh $words[2..-1]
end

complete -c run.sh -n __pebench_is_called -f -a '(__pebench_candidates)'
