"""Write everything that is generated: tables and pictures of READMEs, help, completion."""

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
