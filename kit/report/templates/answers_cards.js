// Cards: one record with the answers of all systems.
function make(tag, parent, text, kind) {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

// Writes a text with the searched words marked.
function write(node, text, words) {
  const low = text.toLowerCase();
  let start = 0;
  if (words && low.length === text.length) {
    for (let i = low.indexOf(words); i >= 0; i = low.indexOf(words, start)) {
      node.append(text.slice(start, i));
      make("mark", node, text.slice(i, i + words.length));
      start = i + words.length;
    }
  }
  node.append(text.slice(start));
}

function writeAnswer(cell, code, words) {
  const text = table.texts[code], whole = table.lengths[code];
  if (!text) { make("em", cell, "(empty)", "soft"); return; }
  const body = make("bdi", cell);
  if (text.length <= LONG) write(body, text, words);
  else {
    write(body, text.slice(0, LONG), words);
    const button = make("button", cell, `… show all ${text.length} characters`, "more");
    button.onclick = () => { body.replaceChildren(); write(body, text, words); button.remove(); };
  }
  if (whole) make("em", cell, ` … cut here: the answer has ${whole} characters`, "soft");
}

// What is wrong with a value: something to be forgotten is known, or something to be kept is not.
function verdict(column, value) {
  if (value < 0) return "";
  if (column.forgotten) return knows(value) ? "leaks" : "";
  return knows(value) ? "" : "lost";
}

const share = (value) => (value < 0 ? "–" : (value / 100).toFixed(2));

// Writes a row for each system; `places` are the columns that ask for the record, with its place.
function rowsOf(body, record, places, said) {
  const words = said.words.trim().toLowerCase(), meant = hits.get(record);
  const measured = new Map(places.map(([column, i]) => [column.metric, [column, i]]));
  for (const system of systemsOf(said.target)) {
    if (said.method && !system.bound && system.entry !== said.method) continue;
    if (system.text[record] < 0) continue;
    const row = make("tr", body), head = make("th", row, system.label);
    head.scope = "row";
    if (system.seed !== null) make("small", head, ` seed ${system.seed}`);
    for (const mark of system.marks) make("span", head, mark, mark === "collapsed" ? "mark collapsed" : "mark");
    const cell = make("td", row, undefined, "said");
    writeAnswer(cell, system.text[record], words);
    if (system.cut.has(record)) make("span", cell, "cut off", "mark");
    const known = make("td", row, undefined, "known");
    const values = [...measured.values()].map(([column, i]) => [column, knownAt(system, column, i)]);
    known.textContent = values.map(([, value]) => share(value)).join(" · ");
    if (!system.bound) for (const word of distinct(values.map(([c, value]) => verdict(c, value))).filter(Boolean)) {
      make("span", cell, word, "mark");
      row.classList.add("bad");
    }
    if (meant?.has(system)) row.classList.add("hit");
  }
}

function attackedOf(parent, record, said) {
  const rows = systemsOf(said.target).filter((s) => !said.method || s.bound || s.entry === said.method).flatMap((system) =>
    system.attacks.filter((a) => a.target === said.target && a.at.has(record)).map((attack) => [system, attack, attack.at.get(record)]));
  if (!rows.length) return;
  const details = make("details", parent);
  make("summary", details, `${rows.length} answers under attack`);
  details.open = single >= 0 || said.returns;
  const draw = () => {
    if (details.lastChild.tagName === "TABLE") return;
    const grid = make("table", details), head = make("tr", make("thead", grid)), body = make("tbody", grid);
    for (const title of ["System and attack", "Answer", "Known"]) make("th", head, title, title === "Known" ? "known" : "").scope = "col";
    for (const [system, attack, i] of rows) {
      const row = make("tr", body), name = make("th", row, system.label);
      make("small", name, `${system.seed === null ? "" : ` seed ${system.seed}`}, ${table.attack_labels[attack.attack] ?? attack.attack}, level ${attack.level}`);
      const cell = make("td", row, undefined, "said");
      const question = attack.questions[attack.asked[i]];
      if (question !== table.records.question[record]) make("small", cell, `asked: ${question}\n`, "soft");
      writeAnswer(cell, attack.texts[i], said.words.trim().toLowerCase());
      make("td", row, share(attack.known[i]), "known");
      if (!system.bound && knows(attack.known[i])) { make("span", cell, "leaks", "mark"); row.classList.add("bad"); }
    }
  };
  if (details.open) draw(); else details.ontoggle = draw;
}

function card(record, said) {
  const node = document.createElement("article"), about = table.records;
  node.className = "record";
  const asked = make("div", node, undefined, "asked");
  if (about.picture[record] >= 0) {
    const image = make("img", asked);
    image.src = `data:image/webp;base64,${table.pictures[about.picture[record]]}`;
    image.alt = `Picture ${about.image[record]}`;
  }
  const text = make("div", asked), words = said.words.trim().toLowerCase();
  const question = make("h2", text);
  write(make("bdi", question), about.question[record], words);
  const expected = make("p", text, "Expected: ");
  write(make("bdi", make("strong", expected), undefined, "said"), about.answer[record], words);
  const tags = make("p", text, undefined, "soft");
  const places = columnsOf(said.target).map((column) => [column, column.records.indexOf(record)]).filter(([, i]) => i >= 0);
  for (const [column] of places) {
    const tag = make("span", tags, `${column.title}, ${column.about}`, "tag");
    tag.title = `${column.meaning} (${column.metric})`;
  }
  make("bdi", tags, [about.person[record], about.event[record]].filter(Boolean).join(" · "));
  const place = make("p", text, undefined, "soft");
  const link = make("a", place, about.id[record]);
  link.href = `#${encodeURIComponent(about.id[record])}`;
  link.title = "A link to this record alone";
  const grid = make("table", node), head = make("tr", make("thead", grid));
  for (const title of ["System", "Answer", "Known"]) make("th", head, title, title === "Known" ? "known" : "").scope = "col";
  rowsOf(make("tbody", grid), record, places, said);
  attackedOf(node, record, said);
  return node;
}
