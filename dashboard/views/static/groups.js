// Which samples are looked at: who is right and who is wrong, or who does better.
const root = element.querySelector(".lp-groups");
const draw = () => {
  const v = props.value;
  root.innerHTML = v?.groups ? groups(v.groups, v.vars, v.run) + (v.note ? `<div class="note">${L.esc(L.t(v.note.key, v.note.vars))}</div>` : "") : "";
};
root.addEventListener("click", (e) => {
  const b = e.target.closest("[data-group]");
  if (!b) return;
  root.querySelectorAll("[data-group]").forEach((o) => o.setAttribute("aria-pressed", o === b));
  trigger("select", { index: 0, value: { group: b.dataset.group }, selected: true });
});
L.onLook(draw);
watch("value", draw);
draw();
"select";
