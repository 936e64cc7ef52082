// Sentences with facts that are texts of their own.
const L = window.loupe, root = element.querySelector(".lp-said");
const fact = (x) => (Array.isArray(x) ? x.map(fact).join("; ") : x !== null && typeof x === "object" ? say(x) : L.has(x) ? L.t(x) : typeof x === "number" ? L.int(x) : String(x));
const say = (l) => L.t(l.key, Object.fromEntries(Object.entries(l.vars || {}).map(([k, x]) => [k, fact(x)])));
const colour = { bad: "#d9480f", good: "#0f9f6e" };
const draw = () => {
  root.innerHTML = (props.value?.lines || []).map((l) => `<p style="margin:2px 0;${colour[l.tone] ? `border-left:3px solid ${colour[l.tone]};padding-left:8px` : ""}">${L.esc(say(l))}${l.explain ? L.info(l.explain) : ""}</p>`).join("");
};
L.onLook(draw);
watch("value", draw);
draw();
