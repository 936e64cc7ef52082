// Playing: one video element decoded once and drawn onto every pane, or a clock of its own where there is no video. What is
// drawn is always one frame's picture with that frame's boxes: ui.frame is where one wants to be, ui.shown what is seen.
const film = { video: null, url: null, ready: false, busy: false, want: null, at: 0, said: 0, still: null };
const fps = () => v.fps || 25;
const openFilm = (file) => {
  const url = file ? file.url || (file.path ? `/gradio_api/file=${file.path}` : null) : null;
  if (url === film.url) return;
  film.video?.pause(); film.video?.remove();
  Object.assign(film, { video: null, url, ready: false, busy: false, want: null, still: null });
  root.classList.remove("blind");
  if (!url) return;
  const e = document.createElement("video");
  Object.assign(e, { muted: true, playsInline: true, preload: "auto", tabIndex: -1 });
  e.setAttribute("aria-hidden", "true"); e.className = "film";
  film.video = e;
  const mine = () => film.video === e;
  e.addEventListener("loadeddata", () => { if (mine() && v) { film.ready = true; seek(ui.frame); } });
  e.addEventListener("seeked", () => { if (mine() && v) arrived(); });
  e.addEventListener("ended", () => { if (mine() && v && ui.playing) finish(); });
  e.addEventListener("error", () => { if (!mine() || !v) return; e.remove(); Object.assign(film, { video: null, ready: false, still: null }); root.classList.add("blind"); show(ui.frame); });
  e.requestVideoFrameCallback?.(function next(now, meta) { if (!mine()) return; told(meta.mediaTime); e.requestVideoFrameCallback(next); });
  e.src = url;
  q(".stage").append(e);
};
// The picture of now, kept: a video that is seeking cannot be drawn. Gives its time, where the browser can tell it: what a
// playing video shows may be newer than what was announced.
const capture = () => {
  const e = film.video;
  let picture = e, at = null;
  if (!e || e.readyState < 2 || !e.videoWidth) return null;
  try { picture = new VideoFrame(e); at = picture.timestamp / 1e6; } catch { picture = e; }
  const part = sharpness(e), w = Math.round(e.videoWidth * part), h = Math.round(e.videoHeight * part);
  if (film.still?.width !== w || film.still.height !== h) film.still = new OffscreenCanvas(w, h);
  film.still.getContext("2d", { alpha: false }).drawImage(picture, 0, 0, w, h);
  picture.close?.();
  return at;
};
// As many pixels as panes show, so that all of them together cost little more than one.
const sharpness = (e) => {
  const a = lead()?.canvas ? placeOf(lead()) : null, part = a ? (a.s * v.width * Math.min(2, devicePixelRatio || 1)) / e.videoWidth : 1;
  return Math.min(1, ui.k > 1 ? Math.ceil(8 * part) / 8 : Math.max(part, 1 / e.videoWidth)); // while zooming not anew at each step
};
// After zooming in, the picture anew, finer.
const sharpen = () => { const e = film.video; if (film.ready && film.still && !film.busy && !ui.playing && Math.round(e.videoWidth * sharpness(e)) > film.still.width) capture(); };
const show = (f) => { ui.shown = f; paintAll(); };
const pump = () => {
  if (film.busy || film.want === null) return;
  film.busy = true; film.at = film.want; film.want = null;
  film.video.currentTime = middle(film.at);
};
const arrived = () => {
  film.busy = false;
  capture(); show(film.at);
  if (film.want !== null) pump();
};
// The browser says which picture is on: while playing that decides the frame; after a seek it is drawn once more.
const told = (t) => {
  if (!v || film.busy || !film.ready) return;
  film.said = performance.now();
  if (ui.playing) advance(t);
  else if (film.video.readyState >= 2) { capture(); paintAll(); }
};
const seek = (f) => {
  ui.frame = clampFrame(f);
  if (film.ready) { film.want = ui.frame; pump(); } else show(ui.frame);
  position();
};
const advance = (t) => {
  const own = film.ready ? capture() : null, f = own === null ? (film.ready ? nearest(t) : frameAt(t)) : nearest(own), s = ui.span;
  if (s && f > s.to) { finish(); return; }
  ui.frame = f;
  show(f); position();
};
// The end of what was to be played.
const finish = () => {
  const s = ui.loop ? loopSpan() : null;
  if (s) { ui.span = s; jumpTo(s.from); return; }
  const end = ui.span ? ui.span.end : v.frames - 1;
  pause(); seek(end);
};
const loopSpan = () => {
  const m = ui.mark && panes[ui.mark.pane]?.events?.frame[ui.mark.event];
  if (m !== null && m !== undefined) return around(m);
  return { from: Math.ceil(ui.a), to: Math.max(Math.ceil(ui.a), Math.ceil(ui.b) - 1), end: Math.ceil(ui.a) };
};
const around = (f) => ({ from: frameAt(Math.max(timeOf(0), timeOf(f) - 1)), to: frameAt(timeOf(f) + 1), end: f });
const jumpTo = (f) => { seek(f); mediaTime = timeOf(ui.frame); if (film.ready && film.video.paused && ui.playing) film.video.play().catch(() => {}); };
let mediaTime = 0, before = 0, beat = 0;
const tick = (now) => {
  beat = 0;
  if (!ui.playing || !v) return;
  beat = requestAnimationFrame(tick);
  const passed = Math.min(250, now - before);
  before = now;
  if (film.ready) { // a video out of sight says little: its own clock is read then
    if (!film.busy && !film.video.seeking && performance.now() - film.said > 150) { const t = film.video.currentTime; if (frameAt(t) !== ui.shown) advance(timeOf(frameAt(t))); }
    return;
  }
  if (film.video) return; // not there yet
  mediaTime += (passed / 1000) * ui.speed;
  if (mediaTime >= timeOf(v.frames - 1) + lasts(v.frames - 1)) finish();
  else if (frameAt(mediaTime) !== ui.frame) advance(mediaTime);
};
const play = (span = null) => {
  ui.span = span ?? (ui.loop ? loopSpan() : null);
  if (ui.span && (span || ui.frame < ui.span.from || ui.frame >= ui.span.to)) seek(ui.span.from);
  else if (ui.frame >= v.frames - 1) seek(0);
  ui.playing = true; mediaTime = timeOf(ui.frame); before = performance.now(); film.said = before;
  if (film.video) { film.video.playbackRate = ui.speed; film.video.play().catch(() => {}); }
  beat ||= requestAnimationFrame(tick);
  transportLook();
};
const pause = () => {
  if (!ui.playing) return;
  ui.playing = false; ui.span = null;
  film.video?.pause();
  if (film.ready) seek(ui.frame); // its middle, so that the picture is this frame's
  transportLook();
};
const toggle = () => (ui.playing ? pause() : play());
const setSpeed = (s) => { ui.speed = s; if (film.video) film.video.playbackRate = s; };
// A step of a person: it ends the playing of a moment.
const go = (f) => { if (ui.playing) { ui.span = ui.loop ? ui.span : null; jumpTo(f); } else seek(f); };
const calmly = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
