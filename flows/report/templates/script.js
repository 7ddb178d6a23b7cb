"use strict";
// What a mark says, beside the pointer.
const tip = document.getElementById("tip");
document.addEventListener("pointermove", (event) => {
  const mark = event.target.closest("[data-tip]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const above = event.clientY - tip.offsetHeight - 12;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above > 8 ? above : event.clientY + 18}px`;
});
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// Samples of one reason.
const reason = document.getElementById("reason");
reason.parentElement.hidden = false;
reason.value = "";
reason.addEventListener("change", () => {
  for (const sample of document.querySelectorAll("#samples .sample")) {
    sample.hidden = reason.value !== "" && sample.dataset.reason !== reason.value;
  }
});
