"use strict";
// The answer browser. Data come from the block #data (kit/report/browser/data.py); every text
// reaches the page as text, never as markup.
const PAGE = 10, PRINTED = 300, HALF = 50, LONG = 600;
const at = (id) => document.getElementById(id);
const CHOICES = ["part", "column", "person", "event", "method"];
const FLAGS = ["leaks", "differs", "collapsed", "returns"];
let table, single = -1, found = [], hits = new Map(), page = 0;

async function unpack() {
  const text = atob(at("data").textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// Gives each system its answers and values by position of the record.
function index() {
  const size = table.records.id.length;
  table.systems.forEach((system, n) => {
    const own = table.answers[n];
    system.text = new Int32Array(size).fill(-1);
    table.asked[own.asked].forEach((record, i) => { system.text[record] = own.texts[i]; });
    system.cut = new Set(own.cut.map((i) => table.asked[own.asked][i]));
    system.known = new Map(table.values[n].map(([column, values]) => [column, Int8Array.from(values)]));
    system.attacks = [];
  });
  for (const attack of table.attacks) {
    attack.at = new Map(attack.records.map((record, i) => [record, i]));
    table.systems[attack.system].attacks.push(attack);
  }
  table.columns.forEach((column, n) => { column.n = n; });
  table.place = new Map(table.records.id.map((id, n) => [id, n]));
  table.lower = table.texts.map((text) => text.toLowerCase());
}

const isOf = (system, target) => system.target === null || system.target === target;
const systemsOf = (target) => table.systems.filter((system) => isOf(system, target));
const retainOf = (target) => systemsOf(target).find((system) => system.bound === "retain_only");
const columnsOf = (target) => table.columns.filter((column) => column.target === target);
const distinct = (values) => [...new Set(values)];

const knows = (value) => value >= HALF;
const knownAt = (system, column, i) => system.known.get(column.n)?.[i] ?? -1;

function returns(system, column, record) {
  return column.forgotten && system.attacks.some((attack) =>
    attack.target === column.target && attack.at.has(record) && knows(attack.known[attack.at.get(record)]));
}

// Says whether a system is what the flags ask for in one column of one record.
function isMeant(system, column, i, record, said, retain) {
  const known = knownAt(system, column, i);
  if (said.leaks && !(column.forgotten && knows(known))) return false;
  if (said.collapsed && !system.marks.includes("collapsed")) return false;
  if (said.returns && (knows(known) || !returns(system, column, record))) return false;
  if (!said.differs) return true;
  const other = retain ? knownAt(retain, column, i) : -1;
  return system !== retain && known >= 0 && other >= 0 && knows(known) !== knows(other);
}

function select(said) {
  const words = said.words.trim().toLowerCase(), flagged = FLAGS.some((flag) => said[flag]);
  const named = (n) => ["question", "answer", "person", "event", "id"].some((field) => table.records[field][n].toLowerCase().includes(words));
  const inTexts = words ? table.lower.map((text) => text.includes(words)) : null;
  const inRecord = words ? table.records.id.map((_, n) => named(n)) : null;
  const retain = retainOf(said.target);
  const systems = systemsOf(said.target).filter((system) =>
    said.method ? system.entry === said.method : !(flagged && system.bound));
  found = []; hits = new Map();
  for (const column of columnsOf(said.target)) {
    if ((said.part && column.part !== said.part) || (said.column && column.column !== said.column)) continue;
    column.records.forEach((record, i) => {
      if ((said.person && table.records.person[record] !== said.person) || (said.event && table.records.event[record] !== said.event)) return;
      const meant = !(flagged || words || said.method) ? [] : systems.filter((system) =>
        isMeant(system, column, i, record, said, retain) &&
        (!words || inRecord[record] || (system.text[record] >= 0 && inTexts[system.text[record]])));
      if (!meant.length && (flagged || (words && !inRecord[record]))) return;
      if (!hits.has(record)) { hits.set(record, new Set()); found.push(record); }
      if (flagged || words) meant.forEach((system) => hits.get(record).add(system));
    });
  }
}
