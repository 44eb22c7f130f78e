"""Write everything in READMEs that is generated: tables from the code, and the picture."""

from tests.readmes.contents import CONTENTS
from tests.readmes.data_flow import FILES, draw
from tests.readmes.pages import PROJECT, write

for (page, name), content in CONTENTS.items():
    write(page, name, content().strip("\n"))
    print(f"{page}: {name}")
for path, colours in FILES.items():
    (PROJECT / path).write_text(draw(colours), encoding="utf-8")
    print(path)
