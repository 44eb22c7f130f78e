// The page: filters, pages, addresses.
function fill(id, values, label, every) {
  const select = at(id), before = select.value;
  const options = values.map((value) => new Option(label(value), value));
  select.replaceChildren(...(every ? [new Option(every, "")] : []), ...options);
  select.value = [...select.options].some((option) => option.value === before) ? before : select.options[0].value;
  select.parentElement.hidden = select.options.length < (every ? 3 : 2);
}

function fillChoices() {
  const columns = columnsOf(at("target").value), systems = systemsOf(at("target").value);
  const records = distinct(columns.flatMap((column) => column.records));
  const named = (field) => distinct(records.map((n) => table.records[field][n])).filter(Boolean).sort();
  const title = new Map(columns.map((column) => [column.column, column.title]));
  const about = new Map(columns.map((column) => [column.part, column.about]));
  const labels = new Map(systems.map((system) => [system.entry, system.label]));
  fill("part", [...about.keys()], (part) => about.get(part), "all parts");
  fill("column", [...title.keys()], (column) => title.get(column), "all columns");
  fill("person", named("person"), String, "everybody");
  fill("event", named("event"), String, "all events");
  fill("method", [...labels.keys()], (entry) => labels.get(entry), "all methods");
  at("returns").parentElement.hidden = !table.attacks.some((attack) => attack.target === at("target").value);
}

function state() {
  const said = { target: at("target").value, words: at("words").value };
  for (const id of CHOICES) said[id] = at(id).value;
  for (const id of FLAGS) said[id] = at(id).checked && !at(id).parentElement.hidden;
  return said;
}

function draw(first = page * PAGE, most = PAGE) {
  const said = state(), shown = single >= 0 ? [single] : found.slice(first, first + most);
  at("answers").replaceChildren(...shown.map((record) => card(record, said)));
  at("answers").classList.toggle("single", single >= 0);
  const pages = Math.ceil(found.length / PAGE), count = at("count");
  at("filters").hidden = single >= 0;
  at("pages").hidden = single >= 0 || pages < 2;
  at("page").textContent = `Page ${page + 1} of ${pages}`;
  at("before").disabled = page === 0;
  at("after").disabled = page >= pages - 1;
  const total = distinct(columnsOf(said.target).flatMap((column) => column.records)).length;
  count.textContent = single >= 0 ? "One record" : found.length ? `${found.length} of ${total} records` : `None of ${total} records fits these filters.`;
  if (single >= 0) make("button", count, "Show all records").onclick = () => { location.hash = ""; };
}

function update() {
  const said = state();
  select(said);
  page = 0;
  const kept = Object.entries(said).filter(([, value]) => value);
  const hash = `#?${new URLSearchParams(kept.map(([key, value]) => [key, String(value)]))}`;
  history.replaceState(null, "", hash);
  draw();
}

function turn(by) {
  page = Math.min(Math.max(page + by, 0), Math.max(Math.ceil(found.length / PAGE) - 1, 0));
  draw();
  at("answers").focus({ preventScroll: true });
  at("count").scrollIntoView();
}

// Sets every filter to what is said, and to its first choice where nothing is.
function setFilters(said) {
  at("target").value = said.get("target") ?? "";
  if (at("target").selectedIndex < 0) at("target").selectedIndex = 0;
  fillChoices();
  for (const name of CHOICES) {
    at(name).value = said.get(name) ?? "";
    if (at(name).selectedIndex < 0) at(name).selectedIndex = 0;
  }
  for (const name of FLAGS) at(name).checked = said.get(name) === "true";
  at("words").value = said.get("words") ?? "";
}

// Follows the part of the address after "#": a record, or filters after "?".
function follow() {
  const hash = location.hash.slice(1);
  let id = hash;
  try { id = decodeURIComponent(hash); } catch { /* not encoded */ }
  single = hash.startsWith("?") ? -1 : table.place.get(id) ?? -1;
  if (single < 0) {
    setFilters(new URLSearchParams(hash.startsWith("?") ? hash.slice(1) : ""));
    update();
    return;
  }
  const own = distinct(table.columns.filter((column) => column.records.includes(single)).map((column) => column.target));
  const target = own.includes(at("target").value) ? at("target").value : own[0];
  setFilters(new Map([["target", target]]));
  hits = new Map();
  draw();
  at("answers").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function listen() {
  const filters = at("filters");
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", (event) => { if (event.target.id === "target") fillChoices(); update(); });
  at("clear").onclick = () => { setFilters(new Map([["target", at("target").value]])); update(); };
  at("before").onclick = () => turn(-1);
  at("after").onclick = () => turn(1);
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => draw(0, PRINTED));
  addEventListener("afterprint", () => draw());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "/" && single < 0) { event.preventDefault(); at("words").focus(); }
    if (event.key === "ArrowRight" && single < 0) turn(1);
    if (event.key === "ArrowLeft" && single < 0) turn(-1);
    if (event.key === "Escape" && single >= 0) location.hash = "";
  });
}

const written = (number) => number.toLocaleString("en");  // as the report writes it

function describe() {
  const answers = table.answers.reduce((sum, own) => sum + own.texts.length, 0), left = table.left_out;
  const attacked = table.attacks.reduce((sum, attack) => sum + attack.records.length, 0);
  const records = written(table.records.id.length);
  const parts = [`${written(answers)} answers of ${table.systems.length} systems to ${records} records`];
  if (attacked) parts.push(`${written(attacked)} answers under attack`);
  if (left.systems) parts.push(`${left.systems} systems of further seeds are left out`);
  if (left.records) parts.push(`${left.records} records are left out: the page would be too large`);
  parts.push(table.pictures.length ? `${written(table.pictures.length)} pictures` : "no pictures are in this result");
  at("extent").textContent = `${parts.join("; ")}.`;
}

async function start() {
  try {
    table = await unpack();
    index();
    describe();
    fill("target", distinct(table.columns.map((column) => column.target)), (target) => table.targets[target], "");
    listen();
    follow();
    document.documentElement.dataset.ready = Math.round(performance.now());
  } catch (error) {
    at("count").textContent = `The answers cannot be shown here (${error.message}). A browser of 2023 or later is needed; answers/answers.parquet has them all.`;
    throw error;
  }
}
start();
