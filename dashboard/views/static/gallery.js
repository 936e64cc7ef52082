// The pictures behind a number: cards with truth and each model's answer, right and wrong told apart by sign and colour; a large view.
const L = window.loupe, root = element.querySelector(".lp-gallery");
root.innerHTML = `<div class="head"></div><div class="grid"></div><button type="button" class="more" hidden></button>`;
const q = (s) => root.querySelector(s);
const mark = L.mark;
let shown = null, cards = []; // all that are shown; a value that starts further on adds to them
const draw = () => {
  const v = props.value;
  if (!v || !v.cards) { cards = []; q(".head").textContent = ""; q(".grid").innerHTML = ""; q(".more").hidden = true; return; }
  const vars = Object.fromEntries(Object.entries(v.title?.vars || {}).map(([k, x]) => [k, L.has(x) ? L.t(x) : x]));
  const title = v.title ? L.t(v.title.key, vars) : "";
  q(".head").innerHTML = `${v.of ? (v.of.key ? `${L.mark(v.of.mark)} ${L.esc(v.of.key)} · ` : `<i>${L.esc(v.of)}</i> · `) : ""}<b>${L.esc(title)}</b> <span class="n" data-count="${v.total}">${L.esc(L.t("ui.images", { n: L.int(v.total) }))}</span>${v.reset ? `<button type="button" class="reset">× ${L.esc(L.t("ui.gallery.all"))}</button>` : ""}${v.note ? `<div class="note">${L.esc(L.t(v.note.key, v.note.vars))}</div>` : ""}`;
  const html = (from) => cards.slice(from).map((c, k) => [c, from + k]).map(([c, i]) => `<button type="button" class="pic" data-i="${i}" data-id="${L.esc(c.id)}" title="${L.esc(c.id)}"><span class="im">${c.thumb ? `<img src="${L.esc(c.thumb)}" alt="${L.esc(c.id)}">` : `<span class="gone">${L.esc(L.t("ui.gallery.gone"))}</span>`}${c.loss === undefined ? "" : `<span class="loss">${c.badge ? L.esc(c.badge) : L.num(c.loss, 2)}</span>`}</span>
    ${c.truth === null ? "" : `<span class="t">${L.esc(c.truth)}</span>`}${c.answers.map((a, k) => `<span class="a ${a.right === null ? "" : a.right ? "ok" : "no"}">${c.answers.length > 1 ? mark(a.at ?? k) : ""}${a.bare ? "" : `<b>${a.right ? "✓" : "✗"}</b> `}<span>${L.esc(a.text)}</span>${a.confidence === null ? "" : `<small>${Math.round(100 * a.confidence)}%</small>`}</span>`).join("")}</button>`).join("");
  const fresh = shown !== v.stamp, from = fresh && v.start && v.start === cards.length ? v.start : 0;
  if (fresh) cards = from ? [...cards, ...v.cards] : v.cards;
  if (from) q(".grid").insertAdjacentHTML("beforeend", html(from));
  else { q(".grid").innerHTML = html(0) || `<div class="none">${L.esc(L.t("ui.gallery.none"))}</div>`; if (fresh) q(".grid").scrollTop = 0; }
  shown = v.stamp;
  q(".more").hidden = cards.length >= v.total;
  q(".more").textContent = L.t("ui.gallery.more", { n: L.int(v.total - cards.length) });
};
root.addEventListener("click", (e) => {
  const pic = e.target.closest(".pic");
  if (pic) trigger("select", { index: +pic.dataset.i, value: { index: cards[+pic.dataset.i].index }, selected: true });
  else if (e.target.closest(".reset")) trigger("reset");
  else if (e.target.closest(".more")) trigger("more");
});
L.onLook(draw);
watch("value", draw);
draw();
"select"; "reset"; "more";
