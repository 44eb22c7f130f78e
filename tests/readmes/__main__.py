"""Write everything that is generated: tables and pictures of READMEs, help, completion.

    python3 -m tests.readmes

Any Python will do: one without the packages goes on in the environment that `./run.sh` built.
"""

import importlib.util
import os
import sys

if importlib.util.find_spec("torch") is None:
    from kit.artifacts import PROJECT
    from kit.supply_chain.slim import WHOLE, finished
    from kit.supply_chain.slim_locks import python_of

    environment = finished(WHOLE)
    if environment is None:
        sys.exit("error: the environment is not built yet\n  remedy: ./run.sh doctor builds it")
    command = [str(python_of(environment)), "-P", "-m", "tests.readmes"]
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": str(PROJECT)})

# These need the packages.
from tests.readmes import completion, help_text
from tests.readmes.contents import CONTENTS
from tests.readmes.data_flow import FILES, draw
from tests.readmes.pages import PROJECT, write

for (page, name), content in CONTENTS.items():
    write(page, name, content().strip("\n"))
    print(f"{page}: {name}")
(PROJECT / help_text.FILE).write_text(help_text.help_text(), encoding="utf-8")
print(help_text.FILE)
(PROJECT / completion.FILE).write_text(completion.completion_table(), encoding="utf-8")
print(completion.FILE)
for path, colours in FILES.items():
    (PROJECT / path).write_text(draw(colours), encoding="utf-8")
    print(path)
