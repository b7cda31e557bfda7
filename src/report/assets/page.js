// The linked view of a report: plot, image, table and histograms share one selection of objects.
// Plain script, no dependency, no network. Data: <script id="data">; see src/report/explorer.rs.
(async () => {
'use strict';
const byId = (id) => document.getElementById(id);
const meta = JSON.parse(byId('data').textContent);
const n = meta.n;

// ---- data ---------------------------------------------------------------------------------------

async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Response(stream).arrayBuffer();
}

// Numbers of a packed column: exact, or steps above the smallest value in two planes of bits.
function numbers(column, count) {
  const { kind, at, low, step } = column;
  if (kind === 'f64') return new Float64Array(buffer, at, count);
  const bytes = new Uint8Array(buffer, at);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const s = kind === 'u16'
      ? bytes[i] << 8 | bytes[count + i]
      : bytes[i] << 4 | (bytes[count + (i >> 1)] >> (i & 1 ? 0 : 4) & 15);
    out[i] = s === (kind === 'u16' ? 65535 : 4095) ? NaN : low + s * step;
  }
  return out;
}

const buffer = await unpacked(meta.data);
const u32 = (block) => new Uint32Array(buffer, block.at, block.n);
const columns = meta.columns.map((c) => ({ name: c.name, unit: c.unit, values: numbers(c, n) }));
const keys = u32(meta.keys);       // kept as steps from one to the next
for (let i = 1; i < n; i++) keys[i] += keys[i - 1];
const groups = u32(meta.groups);
const runRows = Array.from({ length: meta.run_rows }, (_, i) => Math.floor(i * n / meta.run_rows));
const runs = meta.runs.map((pair) => pair.map((c) => numbers(c, runRows.length)));
const nGroups = meta.colors.length - 1;
const groupSizes = new Array(nGroups + 1).fill(0);
groups.forEach((g) => groupSizes[g]++);

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  return low <= high ? [low, high] : [0, 1];
}
for (const c of columns) [c.low, c.high] = extent(c.values);

// Four significant digits, as everywhere in the report.
function shown(v) {
  if (!Number.isFinite(v)) return '';
  const a = Math.abs(v);
  if (v !== 0 && (a >= 1e6 || a < 1e-4)) return v.toExponential(3);
  return a >= 1000 ? String(Math.round(v)) : String(+v.toPrecision(4));
}
const titled = (c) => c.unit ? `${c.name} [${c.unit}]` : c.name;

// ---- state --------------------------------------------------------------------------------------

const selected = new Uint8Array(n);
let nSelected = 0;
let lasso = null;                 // the polygon drawn last on the plot, with its columns
let run = 0;                      // 0 = the map shown, r = run r
const axis = { x: meta.x, y: meta.y };
let colorBy = nGroups > 0 ? -1 : -2; // -1 groups, -2 nothing, else a column

function set(rows, mode) {
  if (mode === 'new') selected.fill(0);
  const value = mode === 'remove' ? 0 : 1;
  for (const i of rows) selected[i] = value;
  changed();
}
function changed() {
  nSelected = selected.reduce((sum, s) => sum + s, 0);
  say(); drawPlot(); drawImage(); table.refresh(); histograms();
}
const modeOf = (e) => e.shiftKey ? 'add' : e.altKey ? 'remove' : 'new';

function say() {
  const parts = [];
  if (nSelected && nGroups > 1) {
    const per = new Array(nGroups + 1).fill(0);
    for (let i = 0; i < n; i++) if (selected[i]) per[groups[i]]++;
    per.forEach((c, g) => { if (c && parts.length < 5) parts.push(g ? `${c} of group ${g}` : `${c} not assigned`); });
  }
  byId('status').textContent = `${nSelected.toLocaleString('en')} of ${n.toLocaleString('en')} selected`
    + (parts.length ? ` (${parts.join(', ')})` : '');
  byId('save-lasso').disabled = !lasso;
}

// Even-odd rule, as in Lasso::contains.
function inside(polygon, x, y) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i], [bx, by] = polygon[j];
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

// ---- colours ------------------------------------------------------------------------------------

const VIRIDIS = ['#440154', '#482878', '#3e4a89', '#31688e', '#26828e', '#1f9e89', '#35b779', '#6dcd59', '#dfd328'];
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const GREY = rgb('#9aa1ab');
const stops = VIRIDIS.map(rgb);
const groupColors = meta.colors.map(rgb);
function ramp(t) {
  const place = Math.min(Math.max(t, 0), 1) * (stops.length - 1), i = Math.min(Math.floor(place), stops.length - 2);
  return stops[i].map((c, k) => Math.round(c + (stops[i + 1][k] - c) * (place - i)));
}
// Colours of all objects as [r, g, b] each, and as words of pixels.
let colors = [];
const words = new Uint32Array(n);
const word = ([r, g, b], alpha = 255) => (alpha << 24 | b << 16 | g << 8 | r) >>> 0;
function recolor() {
  const c = columns[colorBy];
  const steps = Array.from({ length: 64 }, (_, i) => ramp(i / 63));
  colors = Array.from({ length: n }, (_, i) => {
    if (colorBy === -1) return groupColors[groups[i]];
    if (colorBy === -2) return rgb('#0072b2');
    const t = (c.values[i] - c.low) / ((c.high - c.low) || 1);
    return Number.isFinite(t) ? steps[Math.round(t * 63)] : GREY;
  });
  colors.forEach((c, i) => { words[i] = word(c); });
}
const theme = () => {
  const css = getComputedStyle(document.documentElement);
  const of = (name) => css.getPropertyValue(name).trim();
  return { paper: of('--paper'), ink: of('--ink'), muted: of('--muted'), grid: of('--grid'), accent: of('--accent') };
};

// A canvas as many device pixels as it covers; returns its context, scaled to CSS pixels.
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  const [pw, ph] = [Math.max(1, Math.round(w * ratio)), Math.max(1, Math.round(h * ratio))];
  if (canvas.width !== pw || canvas.height !== ph) { canvas.width = pw; canvas.height = ph; }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return { g, w, h, ratio };
}

// ---- plot ---------------------------------------------------------------------------------------

const plot = byId('plot');
const view = { x0: 0, x1: 1, y0: 0, y1: 1 };
const MARGIN = { left: 56, right: 12, top: 10, bottom: 40 };
let box = { w: 1, h: 1 };

function fitView() {
  const cx = columns[axis.x], cy = columns[axis.y];
  const [wx, wy] = [(cx.high - cx.low) || 1, (cy.high - cy.low) || 1];
  Object.assign(view, { x0: cx.low - wx * .05, x1: cx.high + wx * .05, y0: cy.low - wy * .05, y1: cy.high + wy * .05 });
}
const plotW = () => box.w - MARGIN.left - MARGIN.right, plotH = () => box.h - MARGIN.top - MARGIN.bottom;
const px = (x) => MARGIN.left + (x - view.x0) / (view.x1 - view.x0) * plotW();
const py = (y) => box.h - MARGIN.bottom - (y - view.y0) / (view.y1 - view.y0) * plotH();
const dataX = (x) => view.x0 + (x - MARGIN.left) / plotW() * (view.x1 - view.x0);
const dataY = (y) => view.y0 + (box.h - MARGIN.bottom - y) / plotH() * (view.y1 - view.y0);

function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * .999) || raw;
  const out = [];
  for (let i = Math.ceil(low / step); i <= Math.floor(high / step) && out.length < 20; i++) out.push(+(i * step).toPrecision(10));
  return out;
}

// Where object i is drawn: on the map shown, or in the chosen run (rows without a place there are NaN).
let place = { x: columns[axis.x].values, y: columns[axis.y].values };
function chooseRun(r) {
  run = r;
  const [x, y] = [columns[axis.x].values, columns[axis.y].values];
  if (!r) {
    place = { x, y };
  } else {
    place = { x: new Float64Array(n).fill(NaN), y: new Float64Array(n).fill(NaN) };
    runRows.forEach((row, i) => { place.x[row] = runs[r - 1][0][i]; place.y[row] = runs[r - 1][1][i]; });
  }
}

function drawPlot() {
  const { g, w, h, ratio } = sized(plot);
  box = { w, h };
  const t = theme();
  g.font = '12px system-ui, sans-serif';
  g.lineWidth = 1; g.strokeStyle = t.grid; g.fillStyle = t.muted;
  g.textAlign = 'center';
  for (const v of ticks(view.x0, view.x1, w / 90)) {
    g.beginPath(); g.moveTo(px(v), MARGIN.top); g.lineTo(px(v), h - MARGIN.bottom); g.stroke();
    g.fillText(shown(v), px(v), h - MARGIN.bottom + 15);
  }
  g.textAlign = 'right';
  for (const v of ticks(view.y0, view.y1, h / 60)) {
    g.beginPath(); g.moveTo(MARGIN.left, py(v)); g.lineTo(w - MARGIN.right, py(v)); g.stroke();
    g.fillText(shown(v), MARGIN.left - 6, py(v) + 4);
  }
  g.fillStyle = t.ink; g.textAlign = 'center';
  g.fillText(titled(columns[axis.x]), MARGIN.left + plotW() / 2, h - 8, plotW());
  g.save(); g.translate(13, MARGIN.top + plotH() / 2); g.rotate(-Math.PI / 2);
  g.fillText(titled(columns[axis.y]), 0, 0, plotH()); g.restore();
  if (n > 4000) drawDots(g, ratio); else drawDiscs(g, t);
  if (drawing && drawing.canvas === plot) outline(g, drawing.path, t);
  else if (lasso && lasso.x === axis.x && lasso.y === axis.y && !run) outline(g, lasso.polygon.map(([x, y]) => [px(x), py(y)]), t);
}
const visible = (x, y) => x >= MARGIN.left && x <= box.w - MARGIN.right && y >= MARGIN.top && y <= box.h - MARGIN.bottom;

// Few objects: discs with an outline; the selected ones last.
function drawDiscs(g, t) {
  const r = n < 300 ? 5 : n < 1200 ? 4 : 3;
  for (const pass of nSelected ? [0, 1] : [0]) {
    for (let i = 0; i < n; i++) {
      if (nSelected && selected[i] !== pass) continue;
      const x = px(place.x[i]), y = py(place.y[i]);
      if (!visible(x, y)) continue;
      if (run && !selected[i]) trail(g, i, x, y);
      g.globalAlpha = nSelected && !pass ? .25 : .9;
      g.fillStyle = `rgb(${colors[i]})`;
      g.beginPath(); g.arc(x, y, r, 0, 2 * Math.PI); g.fill();
      if (pass) { g.strokeStyle = t.ink; g.lineWidth = 1.5; g.stroke(); }
    }
  }
  g.globalAlpha = 1;
}
// Where an object stands on the map shown, when it stands far away in this run.
function trail(g, i, x, y) {
  const [hx, hy] = [px(columns[axis.x].values[i]), py(columns[axis.y].values[i])];
  if (Math.hypot(hx - x, hy - y) < 0.12 * Math.min(plotW(), plotH())) return;
  g.globalAlpha = .35; g.strokeStyle = `rgb(${colors[i]})`; g.lineWidth = 1;
  g.beginPath(); g.moveTo(hx, hy); g.lineTo(x, y); g.stroke();
}
// Many objects: squares straight into pixels, fast enough to drag 100,000 of them.
const cloud = new OffscreenCanvas(1, 1);
function drawDots(g, ratio) {
  const W = Math.round(plotW() * ratio), H = Math.round(plotH() * ratio);
  if (W < 1 || H < 1) return;
  const data = new ImageData(W, H), out = new Uint32Array(data.data.buffer);
  const size = Math.max(1, Math.round((n > 30000 ? 1.5 : 2.5) * ratio)), faint = word(GREY, 110);
  const { x: xs, y: ys } = place, { x0, y1 } = view;
  const sx = W / (view.x1 - x0), sy = H / (y1 - view.y0);
  for (const pass of nSelected ? [0, 1] : [0]) {
    for (let i = 0; i < n; i++) {
      if (nSelected && selected[i] !== pass) continue;
      const x = (xs[i] - x0) * sx, y = (y1 - ys[i]) * sy;
      if (!(x >= 0 && y >= 0 && x < W - size && y < H - size)) continue;
      const color = nSelected && !pass ? faint : words[i];
      for (let dy = 0, at = (y | 0) * W + (x | 0); dy < size; dy++, at += W) {
        for (let dx = 0; dx < size; dx++) out[at + dx] = color;
      }
    }
  }
  cloud.width = W; cloud.height = H;
  cloud.getContext('2d').putImageData(data, 0, 0);
  g.drawImage(cloud, MARGIN.left, MARGIN.top, plotW(), plotH());
}
function outline(g, path, t) {
  g.strokeStyle = t.ink; g.lineWidth = 1.3; g.setLineDash([5, 4]);
  g.beginPath(); path.forEach(([x, y], i) => i ? g.lineTo(x, y) : g.moveTo(x, y)); g.closePath(); g.stroke();
  g.setLineDash([]);
}

function selectOnPlot(polygon, mode) {
  const xs = place.x, ys = place.y, rows = [];
  const [x0, x1] = extent(polygon.map((p) => p[0])), [y0, y1] = extent(polygon.map((p) => p[1]));
  for (let i = 0; i < n; i++) {
    const x = xs[i], y = ys[i];
    if (x >= x0 && x <= x1 && y >= y0 && y <= y1 && inside(polygon, x, y)) rows.push(i);
  }
  lasso = mode === 'new' && !run ? { x: axis.x, y: axis.y, polygon } : null;
  set(rows, mode);
}

// ---- image --------------------------------------------------------------------------------------

const canvas = byId('image');
const pixels = meta.image && new Uint32Array(buffer, meta.image.at, meta.image.width * meta.image.height);
const NO_ROW = 0xffffffff;
let centers = null, fit = null, painted = null, lit = null;
if (pixels) {
  centers = { x: new Float64Array(n), y: new Float64Array(n), area: new Float64Array(n) };
  pixels.forEach((p, i) => {
    if (!p || p === NO_ROW) return;
    centers.x[p - 1] += i % meta.image.width; centers.y[p - 1] += Math.floor(i / meta.image.width); centers.area[p - 1]++;
  });
  for (let i = 0; i < n; i++) { centers.x[i] = (centers.x[i] / centers.area[i]) + .5; centers.y[i] = (centers.y[i] / centers.area[i]) + .5; }
}
// Grey values under the labels, if there are any and they are wanted.
const greys = meta.image && meta.image.brightness && new Uint8Array(buffer, meta.image.brightness.at);
const greyAt = (x, y) => {
  const { width, step } = meta.image.brightness;
  return greys[Math.floor(y / step) * width + Math.floor(x / step)];
};
// The image with a line around each object, in its colour; objects that are lit are tinted.
function paintGreys(out) {
  const { width, height } = meta.image;
  for (let i = 0; i < pixels.length; i++) {
    const x = i % width, y = (i - x) / width, p = pixels[i], v = greyAt(x, y);
    if (!p) { out[i] = word([v, v, v]); continue; }
    const border = !x || !y || x === width - 1 || y === height - 1
      || pixels[i - 1] !== p || pixels[i + 1] !== p || pixels[i - width] !== p || pixels[i + width] !== p;
    const color = p === NO_ROW ? GREY : colors[p - 1], chosen = p !== NO_ROW && selected[p - 1];
    const mix = border ? (chosen || !nSelected ? 1 : .45) : chosen ? .5 : 0;
    out[i] = word(color.map((c) => Math.round(v + (c - v) * mix)));
  }
}
// The colour of each pixel of the label image; what is not selected is pale.
function paintLabels(out) {
  const { width } = meta.image, dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const pale = dark ? 24 : 245;
  const pack = (color, mix) => word(color.map((c) => Math.round(c + (pale - c) * mix)));
  const back = pack(dark ? [24, 27, 34] : [245, 247, 249], 0), noRow = pack(GREY, .45);
  const table = new Uint32Array(n + 1);
  for (let i = 0; i < n; i++) table[i + 1] = pack(colors[i], nSelected && !selected[i] ? .78 : 0);
  const edge = pack(dark ? [0, 0, 0] : [255, 255, 255], 0);
  for (let i = 0; i < pixels.length; i++) {
    const p = pixels[i];
    const touching = p && ((i % width && pixels[i - 1] && pixels[i - 1] !== p) || (i >= width && pixels[i - width] && pixels[i - width] !== p));
    out[i] = !p ? back : touching ? edge : p === NO_ROW ? noRow : table[p];
  }
}
function paintImage() {
  const { width, height } = meta.image;
  lit = new ImageData(width, height);
  const out = new Uint32Array(lit.data.buffer);
  if (greys && byId('under-labels').checked) paintGreys(out); else paintLabels(out);
  painted = new OffscreenCanvas(width, height);
  painted.getContext('2d').putImageData(lit, 0, 0);
}
function drawImage() {
  if (!pixels) return;
  paintImage();
  const { g, w, h } = sized(canvas), { width, height } = meta.image;
  const scale = Math.min(w / width, h / height);
  fit = { scale, x: (w - width * scale) / 2, y: (h - height * scale) / 2 };
  g.imageSmoothingEnabled = scale < 1;
  g.drawImage(painted, fit.x, fit.y, width * scale, height * scale);
  if (drawing && drawing.canvas === canvas) outline(g, drawing.path, theme());
}
const imageAt = (x, y) => [(x - fit.x) / fit.scale, (y - fit.y) / fit.scale];
function objectAt(x, y) {
  const [ix, iy] = imageAt(x, y).map(Math.floor), { width, height } = meta.image;
  const p = ix >= 0 && iy >= 0 && ix < width && iy < height ? pixels[iy * width + ix] : 0;
  return p && p !== NO_ROW ? p - 1 : -1;
}
// Objects whose centre lies in the lasso.
function selectOnImage(polygon, mode) {
  const rows = [];
  for (let i = 0; i < n; i++) if (centers.area[i] && inside(polygon, centers.x[i], centers.y[i])) rows.push(i);
  lasso = null;
  set(rows, mode);
}

// ---- pointers: one lasso for both canvases ------------------------------------------------------

let drawing = null;
const at = (e) => { const r = e.currentTarget.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };

function lassoable(target, redraw, finish, click) {
  target.addEventListener('pointerdown', (e) => {
    if (e.button !== 0) return;
    target.setPointerCapture(e.pointerId);
    drawing = { canvas: target, path: [at(e)], mode: modeOf(e), pan: target === plot && byId('pan').checked };
  });
  target.addEventListener('pointermove', (e) => {
    if (!drawing || drawing.canvas !== target) return;
    const p = at(e), last = drawing.path[drawing.path.length - 1];
    if (drawing.pan) {
      move((last[0] - p[0]) / plotW(), (p[1] - last[1]) / plotH());
      drawing.path[0] = p;
    } else if (Math.hypot(p[0] - last[0], p[1] - last[1]) > 2) {
      drawing.path.push(p);
    }
    later(redraw);
  });
  target.addEventListener('pointerup', (e) => {
    if (!drawing || drawing.canvas !== target) return;
    const { path, mode, pan } = drawing;
    drawing = null;
    if (pan) return;
    if (path.length > 2) finish(path, mode); else click(at(e), mode);
  });
  target.addEventListener('pointercancel', () => { drawing = null; redraw(); });
}
let waiting = null;
function later(draw) {
  if (!waiting) requestAnimationFrame(() => { const w = waiting; waiting = null; w.forEach((f) => f()); });
  (waiting = waiting || new Set()).add(draw);
}

lassoable(plot, drawPlot, (path, mode) => selectOnPlot(path.map(([x, y]) => [dataX(x), dataY(y)]), mode), ([x, y], mode) => {
  let best = -1, nearest = 12;
  for (let i = 0; i < n; i++) {
    const d = Math.hypot(px(place.x[i]) - x, py(place.y[i]) - y);
    if (d < nearest) { nearest = d; best = i; }
  }
  lasso = null;
  set(best < 0 ? [] : [best], mode);
  if (best >= 0) table.show(best);
});
if (pixels) {
  lassoable(canvas, drawImage, (path, mode) => selectOnImage(path.map(([x, y]) => imageAt(x, y)), mode), ([x, y], mode) => {
    const i = objectAt(x, y);
    lasso = null;
    set(i < 0 ? [] : [i], mode);
    if (i >= 0) table.show(i);
  });
  canvas.addEventListener('pointermove', (e) => {
    const i = objectAt(...at(e));
    byId('under').textContent = i < 0 ? '\u00a0' : `${meta.key} ${keys[i]}` + (nGroups ? `, group ${groups[i] || 'none'}` : '');
  });
  canvas.addEventListener('keydown', (e) => { if (e.key === 'Escape') clear(); });
}

function move(dx, dy) {
  const [w, h] = [view.x1 - view.x0, view.y1 - view.y0];
  view.x0 += dx * w; view.x1 += dx * w; view.y0 += dy * h; view.y1 += dy * h;
}
function zoom(factor, x, y) {
  view.x0 = x + (view.x0 - x) * factor; view.x1 = x + (view.x1 - x) * factor;
  view.y0 = y + (view.y0 - y) * factor; view.y1 = y + (view.y1 - y) * factor;
}
plot.addEventListener('wheel', (e) => {
  e.preventDefault();
  const [x, y] = at(e);
  zoom(1.0015 ** e.deltaY, dataX(x), dataY(y));
  later(drawPlot);
}, { passive: false });
plot.addEventListener('dblclick', () => { fitView(); drawPlot(); });
plot.addEventListener('keydown', (e) => {
  const steps = { ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, .1], ArrowDown: [0, -.1] };
  const middle = [(view.x0 + view.x1) / 2, (view.y0 + view.y1) / 2];
  if (steps[e.key]) move(...steps[e.key]);
  else if (e.key === '+' || e.key === '=') zoom(.8, ...middle);
  else if (e.key === '-') zoom(1.25, ...middle);
  else if (e.key === '0') fitView();
  else if (e.key === 'Escape') return clear();
  else return;
  e.preventDefault();
  drawPlot();
});

// ---- table --------------------------------------------------------------------------------------

const table = (() => {
  const HEIGHT = 26, WIDTH = 112, rowsBox = byId('rows');
  const cells = [
    { name: meta.key, of: (i) => keys[i], text: (i) => String(keys[i]) },
    ...(nGroups ? [{ name: 'group', of: (i) => groups[i], text: (i) => String(groups[i]) }] : []),
    ...columns.map((c) => ({ name: titled(c), of: (i) => c.values[i], text: (i) => shown(c.values[i]) })),
  ];
  let order = Array.from({ length: n }, (_, i) => i), sorted = { by: -1, down: false }, cursor = 0, anchor = -1;
  let conditions = [];
  const head = document.createElement('div'), body = document.createElement('div');
  head.className = 'line head'; head.setAttribute('role', 'row'); body.className = 'body';
  cells.forEach((cell, c) => {
    const b = document.createElement('button');
    b.type = 'button'; b.textContent = cell.name; b.title = cell.name; b.setAttribute('role', 'columnheader');
    b.addEventListener('click', () => sort(c));
    head.append(b);
  });
  rowsBox.append(head, body);

  // Missing values last, whichever way; equal ones in table order.
  function arrange() {
    const only = byId('only-selected').checked;
    order = [];
    for (let i = 0; i < n; i++) if ((!only || selected[i]) && conditions.every((f) => f(i))) order.push(i);
    if (sorted.by >= 0) {
      const of = cells[sorted.by].of, sign = sorted.down ? -1 : 1;
      order.sort((a, b) => {
        const [x, y] = [of(a), of(b)];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
        return sign * (x - y) || a - b;
      });
    }
    cursor = Math.min(cursor, Math.max(order.length - 1, 0));
  }
  function sort(by, down) {
    sorted = { by, down: down ?? (sorted.by === by && !sorted.down) };
    [...head.children].forEach((b, c) => {
      b.setAttribute('aria-sort', c !== by ? 'none' : sorted.down ? 'descending' : 'ascending');
      b.textContent = cells[c].name + (c !== by ? '' : sorted.down ? ' ↓' : ' ↑');
    });
    arrange(); draw();
  }
  function filter(text) {
    const input = byId('filter');
    const names = new Map(cells.map((c) => [c.name, c]));
    columns.forEach((c, k) => names.set(c.name, cells[cells.length - columns.length + k]));
    conditions = [];
    let wrong = '';
    for (const part of text.split(',').map((p) => p.trim()).filter(Boolean)) {
      const m = /^(.+?)\s*(<=|>=|!=|=|<|>)\s*(-?[\d.]+(?:e[-+]?\d+)?)$/i.exec(part), cell = m && names.get(m[1].trim());
      if (!cell) { wrong = m ? `no column “${m[1].trim()}”` : `“${part}” is not NAME > NUMBER`; continue; }
      const v = +m[3], of = cell.of;
      conditions.push({ '<': (i) => of(i) < v, '>': (i) => of(i) > v, '<=': (i) => of(i) <= v, '>=': (i) => of(i) >= v, '=': (i) => of(i) === v, '!=': (i) => of(i) !== v }[m[2]]);
    }
    input.classList.toggle('wrong', !!wrong);
    arrange(); draw();
    byId('filter-says').textContent = wrong || (conditions.length ? `${order.length.toLocaleString('en')} rows` : '');
  }
  function draw() {
    body.style.height = `${order.length * HEIGHT}px`;
    body.style.width = `${cells.length * WIDTH}px`;
    const first = Math.max(0, Math.floor(rowsBox.scrollTop / HEIGHT) - 4);
    const last = Math.min(order.length, first + Math.ceil(rowsBox.clientHeight / HEIGHT) + 8);
    body.replaceChildren(...order.slice(first, last).map((i, k) => {
      const row = document.createElement('div');
      row.className = 'line row' + (selected[i] ? ' on' : '') + (first + k === cursor ? ' at' : '');
      row.style.top = `${(first + k) * HEIGHT}px`;
      row.dataset.row = i;
      row.setAttribute('role', 'row'); row.setAttribute('aria-selected', selected[i] ? 'true' : 'false');
      for (const cell of cells) {
        const span = document.createElement('span');
        span.textContent = cell.text(i);
        row.append(span);
      }
      return row;
    }));
  }
  function scrollToCursor() {
    const top = cursor * HEIGHT, room = rowsBox.clientHeight - 2 * HEIGHT;
    if (top < rowsBox.scrollTop) rowsBox.scrollTop = top;
    else if (top > rowsBox.scrollTop + room) rowsBox.scrollTop = top - room;
  }
  body.addEventListener('click', (e) => {
    const row = e.target.closest('.row');
    if (!row) return;
    const i = +row.dataset.row, place = order.indexOf(i);
    lasso = null;
    cursor = place;
    if (e.shiftKey && anchor >= 0) {
      set(order.slice(Math.min(anchor, place), Math.max(anchor, place) + 1), 'add');
    } else if (e.ctrlKey || e.metaKey || e.altKey) {
      anchor = place; set([i], selected[i] ? 'remove' : 'add');
    } else {
      anchor = place; set([i], 'new');
    }
  });
  rowsBox.addEventListener('keydown', (e) => {
    const jump = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[e.key];
    if (jump) cursor = Math.max(0, Math.min(order.length - 1, cursor + jump));
    else if (e.key === 'Home') cursor = 0;
    else if (e.key === 'End') cursor = order.length - 1;
    else if (e.key === ' ' && e.target === rowsBox && order.length) { lasso = null; e.preventDefault(); return set([order[cursor]], selected[order[cursor]] ? 'remove' : 'add'); }
    else if (e.key === 'Escape') return clear();
    else return;
    e.preventDefault();
    scrollToCursor(); draw();
  });
  rowsBox.addEventListener('scroll', () => later(draw));
  return {
    refresh() { if (byId('only-selected').checked) arrange(); draw(); },
    show(i) { const at = order.indexOf(i); if (at >= 0) { cursor = at; scrollToCursor(); draw(); } },
    arrange() { arrange(); draw(); },
    order: () => order.slice(), sort, filter, draw,
  };
})();

// ---- histograms ---------------------------------------------------------------------------------

const BINS = 20;
const spread = columns.map((c) => {
  const div = document.createElement('div'), name = document.createElement('b'), span = document.createElement('span');
  const canvas = document.createElement('canvas'), low = document.createElement('i'), high = document.createElement('i');
  div.className = 'small'; name.textContent = titled(c); name.title = titled(c);
  low.textContent = shown(c.low); high.textContent = shown(c.high);
  span.append(low, high); div.append(name, canvas, span);
  byId('histograms').append(div);
  const bin = new Uint8Array(n).fill(255), all = new Uint32Array(BINS);
  const width = (c.high - c.low) || 1;
  for (let i = 0; i < n; i++) {
    const t = (c.values[i] - c.low) / width;
    if (t >= 0) { bin[i] = Math.min(BINS - 1, Math.floor(t * BINS)); all[bin[i]]++; }
  }
  return { canvas, bin, all };
});
function histograms() {
  const t = theme();
  for (const { canvas, bin, all } of spread) {
    const { g, w, h } = sized(canvas);
    const some = new Uint32Array(BINS);
    if (nSelected) for (let i = 0; i < n; i++) if (selected[i] && bin[i] < BINS) some[bin[i]]++;
    const highest = Math.max(1, ...all);
    const bars = (counts, top) => counts.forEach((count, b) => {
      const height = count / top * (h - 2);
      g.fillRect(b * w / BINS, h - height, w / BINS - .5, height);
    });
    g.fillStyle = nSelected ? t.grid : '#9aa1ab'; bars(all, highest);
    g.fillStyle = t.accent; bars(some, highest);
    g.fillStyle = t.muted; g.fillRect(0, h - 1, w, 1);
  }
}

// ---- controls -----------------------------------------------------------------------------------

function option(select, value, text) {
  const o = document.createElement('option');
  o.value = value; o.textContent = text;
  select.append(o);
}
for (const which of ['x', 'y']) {
  const select = byId(`axis-${which}`);
  columns.forEach((c, i) => option(select, i, titled(c)));
  select.value = axis[which];
  select.addEventListener('change', () => { axis[which] = +select.value; if (byId('run')) byId('run').value = 0; showRun(0); });
}
if (nGroups > 0) option(byId('color'), -1, 'group');
option(byId('color'), -2, 'nothing');
columns.forEach((c, i) => option(byId('color'), i, titled(c)));
byId('color').value = colorBy;
byId('color').addEventListener('change', (e) => { colorBy = +e.target.value; recolor(); legend(); drawPlot(); drawImage(); });

function showRun(r) {
  if (r && (axis.x !== meta.x || axis.y !== meta.y)) {
    Object.assign(axis, { x: meta.x, y: meta.y });
    byId('axis-x').value = axis.x; byId('axis-y').value = axis.y;
  }
  chooseRun(r);
  if (!r) fitView();
  if (byId('run-name')) byId('run-name').textContent = r ? `run ${r} of ${runs.length}` : 'shown map';
  drawPlot();
}
if (byId('under-labels')) byId('under-labels').addEventListener('change', drawImage);
if (byId('run')) byId('run').addEventListener('input', (e) => showRun(+e.target.value));

function legend() {
  const p = byId('legend');
  p.replaceChildren();
  if (colorBy >= 0) {
    p.textContent = `${titled(columns[colorBy])}: ${shown(columns[colorBy].low)} (dark) to ${shown(columns[colorBy].high)} (bright)`;
    return;
  }
  if (colorBy === -2) return;
  for (let k = 1; k <= nGroups + 1; k++) {
    const g = k % (nGroups + 1);
    if (!groupSizes[g]) continue;
    const b = document.createElement('button'), dot = document.createElement('span');
    b.type = 'button'; dot.className = 'dot'; dot.style.background = meta.colors[g];
    b.append(dot, g ? `${g} (${groupSizes[g].toLocaleString('en')})` : `none (${groupSizes[0].toLocaleString('en')})`);
    b.addEventListener('click', (e) => {
      lasso = null;
      set(Array.from({ length: n }, (_, i) => i).filter((i) => groups[i] === g), modeOf(e));
    });
    p.append(b);
  }
}
function clear() { lasso = null; set([], 'new'); }
byId('clear').addEventListener('click', clear);
byId('invert').addEventListener('click', () => { lasso = null; for (let i = 0; i < n; i++) selected[i] ^= 1; changed(); });
byId('filter').addEventListener('input', (e) => table.filter(e.target.value));
byId('select-shown').addEventListener('click', (e) => { lasso = null; set(table.order(), modeOf(e)); });
byId('only-selected').addEventListener('change', () => table.arrange());

// ---- export -------------------------------------------------------------------------------------

// A field that begins like a formula gets an apostrophe, as in every CSV this program writes.
function field(text) {
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
function csv() {
  const names = [meta.key, ...(nGroups ? ['cluster'] : []), ...columns.map((c) => c.name)];
  const lines = [names.map(field).join(',')];
  for (let i = 0; i < n; i++) {
    if (!selected[i]) continue;
    const values = columns.map((c) => Number.isFinite(c.values[i]) ? String(c.values[i]) : '');
    lines.push([keys[i], ...(nGroups ? [groups[i]] : []), ...values].join(','));
  }
  return lines.join('\n') + '\n';
}
function lassoFile() {
  if (!lasso) return '';
  return JSON.stringify({ x: columns[lasso.x].name, y: columns[lasso.y].name, polygons: [lasso.polygon] }) + '\n';
}
function save(name, type, text) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}
byId('save-csv').addEventListener('click', () => save('selection.csv', 'text/csv', csv()));
byId('save-lasso').addEventListener('click', () => save('lasso.json', 'application/json', lassoFile()));

// ---- start --------------------------------------------------------------------------------------

byId('explorer').hidden = false;
recolor(); legend(); fitView(); changed(); table.draw();
const redraw = () => { recolor(); drawPlot(); drawImage(); table.draw(); histograms(); };
new ResizeObserver(() => later(redraw)).observe(byId('explorer'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

// For tests and for the console of the curious.
window.explore = {
  select: (rows, mode = 'new') => { lasso = null; set(rows, mode); },
  selection: () => Array.from(keys).filter((_, i) => selected[i]),
  lasso: (polygon, mode = 'new') => selectOnPlot(polygon, mode),
  lassoImage: (polygon, mode = 'new') => selectOnImage(polygon, mode),
  toScreen: (x, y) => [px(x), py(y)],
  imageToScreen: (x, y) => [fit.x + x * fit.scale, fit.y + y * fit.scale],
  // How many pixels of the image are lit: those of selected objects.
  lit: () => pixels ? pixels.reduce((sum, p) => sum + (p && p !== NO_ROW && selected[p - 1] ? 1 : 0), 0) : 0,
  pixel: (x, y) => Array.from(lit.data.subarray(4 * (y * lit.width + x), 4 * (y * lit.width + x) + 4)),
  order: () => table.order().map((i) => keys[i]),
  sort: table.sort, filter: table.filter, csv, lassoFile, run: showRun, redraw: drawPlot, move,
};
document.documentElement.dataset.ready = 'true';
})();
