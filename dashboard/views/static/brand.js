// The name, and the question it answers.
const L = window.loupe, root = element.querySelector(".lp-brand");
const draw = () => { root.innerHTML = `<b>Loupe</b><span>${L.esc(L.t("ui.tagline"))}</span>`; };
L.onLook(draw);
draw();
