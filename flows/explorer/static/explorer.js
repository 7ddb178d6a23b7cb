// Pages work as plain links; this adds a pane beside the list, more rows as one scrolls, and keys.

const wide = matchMedia("(min-width: 64rem)");

/** The page's elements at an address; its scripts do not run, the policy of the page forbids it. */
export async function fetched(address) {
  const answer = await fetch(address);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Put what an address answers in place of an element, or into it. */
async function load(address, put) {
  const page = await fetched(address);
  put(...page.body.childNodes);
  prepare(document.body);
}

const soon = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) entry.target.click();
}, { rootMargin: "600px" });

/** What has just come to the page: open filters where there is room, watch for the end of a list, load what is late. */
export function prepare(root) {
  if (wide.matches) for (const facet of root.querySelectorAll("[data-wide-open]")) facet.open = true;
  for (const more of root.querySelectorAll("[data-soon]")) soon.observe(more);
  for (const late of root.querySelectorAll("[data-load]")) {
    const address = late.dataset.load;
    late.removeAttribute("data-load");
    load(address, (...nodes) => late.replaceChildren(...nodes));
  }
}

const pane = () => document.getElementById("pane");

/** The address of the page as it stands now, so that it can be shared: parameters that are "" leave it. */
function note(parameters) {
  const address = new URL(location);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
}

function open(row) {
  for (const other of document.querySelectorAll(".row[aria-current]")) other.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  load(row.dataset.pane, (...nodes) => {
    if (!row.hasAttribute("aria-current")) return; // another was chosen meanwhile
    pane().replaceChildren(...nodes);
    pane().scrollTop = 0;
    note({ at: row.dataset.at, view: "" });
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a, button");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  if (link.dataset.more) {
    const place = link.closest(".more");
    soon.unobserve(link);
    load(link.dataset.more, (...nodes) => place.replaceWith(...nodes));
  } else if (link.dataset.into) {
    load(link.dataset.into, (...nodes) => link.closest("p").replaceWith(...nodes));
  } else if ("all" in link.dataset) {
    link.parentElement.classList.add("all");
    link.remove();
  } else if (link.dataset.pane && pane() && wide.matches) {
    if (link.classList.contains("row")) open(link);
    else {
      load(link.dataset.pane, (...nodes) => pane().replaceChildren(...nodes));
      note({ view: link.dataset.view });
    }
  } else if (link.matches("[role=switch]")) {
    const address = new URL(location);
    if (address.searchParams.get("addresses")) address.searchParams.delete("addresses");
    else address.searchParams.set("addresses", "shown");
    location.assign(address);
  } else {
    return;
  }
  event.preventDefault();
});

/** Go to the next row, or the one before; where a document is open beside the list, open that one. */
function walk(by) {
  const rows = [...document.querySelectorAll("a.row")];
  const at = rows.findIndex((row) => row === document.activeElement || row.hasAttribute("aria-current"));
  const row = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
  if (!row) return;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  if (pane() && wide.matches) open(row);
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && event.target.id === "sql") event.target.form.requestSubmit();
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === " " && event.target.matches("[role=switch]")) {
    event.preventDefault();
    event.target.click();
  }
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (pane()?.querySelector(".document")) {
      document.querySelector(".row[aria-current]")?.removeAttribute("aria-current");
      document.querySelector(".opened")?.classList.remove("opened");
      pane().replaceChildren();
      note({ at: "", view: "" });
    } else if (document.querySelector(".back a")) document.querySelector(".back a").click();
  }
  if (typing) return;
  if (event.key === "j" || event.key === "k") walk(event.key === "j" ? 1 : -1);
  if (event.key === "/" && document.getElementById("search")) {
    event.preventDefault();
    document.getElementById("search").select();
  }
});

prepare(document.body);
