// A threshold under the hand: while it moves the counts are asked for, once it rests the page is.

import { fetched, prepare } from "/static/explorer.js";

const BREAKS = { "<": (v, t) => v < t, "<=": (v, t) => v <= t, ">": (v, t) => v > t, ">=": (v, t) => v >= t };
const shown = new Intl.NumberFormat("en");
const megabytes = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const get = (id) => document.getElementById(id);

/** The axis of the histogram, from the form that the server wrote. */
function axis() {
  const { low, high, half, logarithmic, step, whole } = get("move").dataset;
  const by_ratio = logarithmic === "1", middle = Number(half);
  const warp = by_ratio ? (v) => Math.log(Math.max(v, Number(low))) : (v) => v, unwarp = by_ratio ? Math.exp : (v) => v;
  const [from, to] = [warp(Number(low)), warp(Number(high))];
  const unit = (value) => (by_ratio && whole !== "1" ? 10 ** Math.floor(Math.log10(Math.max(value, Number(low))) - 1) : Number(step));
  const rounded = (value, by) => Number((Math.round(value / by) * by).toPrecision(12));
  return {
    at: (value) => Math.min(Math.max((warp(value + middle) - from) / (to - from), 0), 1),
    value(share) {
      const exact = unwarp(from + share * (to - from)) - middle;
      return rounded(exact, unit(exact));
    },
    beside: (value, by) => rounded(value + by * unit(value), unit(value)),
  };
}

/** Show where a threshold is: the line, the bars it takes, the slider and the number. ``null`` is off. */
function draw(value) {
  const form = get("move"), { at } = axis(), line = get("line");
  const x = value === null ? -10 : 1000 * at(value);
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  for (const bin of form.querySelectorAll(".bin")) {
    bin.classList.toggle("breaks", value !== null && BREAKS[form.dataset.breaks](Number(bin.dataset.middle), value));
  }
  if (document.activeElement !== get("slider") && value !== null) get("slider").value = 1000 * at(value);
  if (document.activeElement !== get("number")) get("number").value = value ?? "";
}

/** An address with this threshold among the moved ones. */
function address(path, value) {
  const { dataset } = get("move"), asked = new URLSearchParams(location.search);
  const others = asked.getAll("set").filter((change) => !change.startsWith(`${dataset.path}=`));
  asked.delete("set");
  for (const change of others) asked.append("set", change);
  if (String(value ?? "off") !== dataset.now) asked.append("set", `${dataset.path}=${value ?? "off"}`);
  return `${path}?${asked}`;
}

let asking = false, next;

/** Ask what a value would come to; of values that come while an answer is awaited only the last is asked for. */
async function ask(value) {
  next = value;
  if (asking) return;
  asking = true;
  while (next !== undefined) {
    const value = next;
    next = undefined;
    const answer = await fetch(address("/what-if", value));
    if (answer.ok) tell(await answer.json());
  }
  asking = false;
}

function tell(outcome) {
  const says = {
    kept: shown.format(outcome.kept[1]),
    newly_removed: shown.format(outcome.newly_removed),
    newly_kept: shown.format(outcome.newly_kept),
    clean_bytes: megabytes.format(outcome.clean_bytes[1] / 1e6),
  };
  for (const place of document.querySelectorAll("[data-out]")) place.textContent = says[place.dataset.out];
}

let rests = 0;

/** Let the server write the page for a threshold that rests: samples, links and export with it. */
async function rest(value) {
  const to = address("/thresholds", value), focus = document.activeElement?.id, turn = ++rests;
  const page = await fetched(to);
  if (turn !== rests) return; // it has moved on
  history.replaceState(null, "", to);
  for (const part of ["header.top", "main"]) document.querySelector(part).replaceWith(page.querySelector(part));
  prepare(document.body);
  begin();
  if (focus) get(focus)?.focus();
}

function begin() {
  if (!get("move")) return;
  const { now, then } = get("move").dataset;
  const number = (text) => (text === "off" || text === "" ? null : Number(text));
  const moved = (value) => { rests++; draw(value); ask(value); };
  draw(number(then));
  get("slider").value = then === "off" ? 0 : 1000 * axis().at(Number(then));
  get("slider").addEventListener("input", (event) => moved(axis().value(event.target.value / 1000)));
  get("slider").addEventListener("change", (event) => rest(axis().value(event.target.value / 1000)));
  get("slider").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault(); // a step of the axis may be less than the least that changes anything
    const value = axis().beside(Number(get("number").value), by);
    get("slider").value = 1000 * axis().at(value);
    moved(value);
  });
  get("slider").addEventListener("keyup", (event) => event.key.startsWith("Arrow") && rest(number(get("number").value)));
  get("number").addEventListener("input", (event) => moved(number(event.target.value)));
  get("number").addEventListener("change", (event) => rest(number(event.target.value)));
  get("back")?.addEventListener("click", () => rest(number(now)));
  get("move").addEventListener("submit", (event) => event.preventDefault());
}

begin();
