"use strict";
const at = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
let about, running, looked;

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (text !== undefined) made.textContent = text;
  return made;
}

function titled(shape, title) {
  shape.append(element("title", {}, title));
  return shape;
}

function node(name, text, ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

function chip(text, action) {
  const button = node("button", text);
  button.type = "button";
  button.title = text;
  button.onclick = action;
  return button;
}

function wish() {
  return JSON.stringify({
    description: at("description").value,
    other: at("mixing").open ? at("other").value : "",
    share: Number(at("share").value),
    strength: Number(at("strength").value),
    prompt: at("prompt").value
  });
}

async function post(path, signal) {
  const response = await fetch(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: wish(), signal});
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Error(told.error ?? told.title ?? response.statusText);
  }
  return response;
}

function state(text, error) {
  at("state").textContent = text;
  at("state").className = error ? "error" : "";
}

function choose(example) {
  at("description").value = example.description;
  at("prompts").replaceChildren(...example.prompts.map(prompt => chip(prompt, () => { at("prompt").value = prompt; answer(); })));
  at("prompt").value = example.prompts[0];
  look();
}

function stop() {
  running?.abort();
  running = new AbortController();
  return running.signal;
}

async function answer() {
  if (!at("ask").reportValidity()) return;
  const signal = stop();
  const boxes = {base: at("base"), adapted: at("adapted")};
  Object.values(boxes).forEach(box => { box.textContent = ""; box.classList.add("running"); });
  state("answering …");
  try {
    await look();
    const response = await post("/api/answer", signal);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let piece; !(piece = await reader.read()).done;) {
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const told = JSON.parse(line);
        if (told.error) throw new Error(told.error);
        boxes[told.to].textContent += told.text;
      }
    }
    state("done");
  } catch (e) {
    if (signal.aborted) return;
    state(e.message, true);
  }
  Object.values(boxes).forEach(box => box.classList.remove("running"));
}

async function look() {
  looked?.abort();
  const mine = looked = new AbortController();
  if (!at("description").value.trim()) return;
  try {
    const made = await (await post("/api/adapter", mine.signal)).json();
    norms(made);
    map(made);
    position(made.position);
  } catch (e) {
    if (!mine.signal.aborted) state(e.message, true);
  }
}

function position(found) {
  if (!found) {
    at("position").textContent = "The checkpoint does not come with the embeddings of its training descriptions: how near they are is not known.";
    return;
  }
  const {nearest, loneliest, far} = found;
  at("position").className = far ? "far" : "";
  at("position").textContent = `Nearest training task: ${nearest.task}, cosine ${nearest.cosine.toFixed(2)} (the loneliest training task is at ${loneliest.toFixed(2)} from its nearest).`
    + (far ? " Warning: this lies farther from all training tasks than they lie from each other; the adapter is a guess." : "");
}

function norms(made) {
  const modules = [...new Set(made.norms.map(n => n.module))];
  const layers = Math.max(...made.norms.map(n => n.layer)) + 1;
  const most = Math.max(...made.norms.map(n => n.norm));
  const left = 70, top = 4, wide = 560 / layers, high = 34;
  const svg = at("norms");
  svg.setAttribute("viewBox", `0 0 ${left + 565} ${top + high * modules.length + 34}`);
  svg.replaceChildren(
    ...modules.map((module, row) => element("text", {x: 0, y: top + high * row + high / 2 + 4}, module)),
    ...made.norms.map(n => titled(element("rect", {
      class: "cell", x: left + wide * n.layer, y: top + high * modules.indexOf(n.module), width: wide - 1.5, height: high - 2, rx: 2,
      "fill-opacity": most > 0 ? (0.06 + 0.94 * n.norm / most).toFixed(3) : 0.06
    }), `layer ${n.layer}, ${n.module}: ${n.norm.toPrecision(3)}`)),
    ...Array.from({length: layers}, (_, layer) => layer).filter(layer => layer % 5 === 0 || layer === layers - 1)
      .map(layer => element("text", {x: left + wide * (layer + 0.5) - 0.75, y: top + high * modules.length + 14, "text-anchor": "middle"}, layer)),
    element("text", {x: left + 280, y: top + high * modules.length + 29, "text-anchor": "middle"}, "layer"));
  at("norms-note").textContent = `Frobenius norms, strength included; the darkest is ${most.toPrecision(3)}. From sentence to adapter: ${made.millis.toFixed(1)} ms.`;
}

function map(made) {
  const points = about.map;
  const svg = at("map");
  if (!points.length) {
    svg.setAttribute("viewBox", "0 0 560 20");
    svg.replaceChildren(element("text", {x: 0, y: 14}, "The checkpoint does not come with the embeddings of its training descriptions."));
    return;
  }
  const all = made?.place ? [...points, made.place] : points;
  const range = key => [Math.min(...all.map(p => p[key])), Math.max(...all.map(p => p[key]))];
  const [left, right] = range("x"), [low, high] = range("y");
  const x = p => 14 + 532 * (p.x - left) / (right - left || 1);
  const y = p => 296 - 282 * (p.y - low) / (high - low || 1);
  const label = (p, text, strong) => element("text", {
    class: strong ? "strong" : "", x: x(p) + (x(p) > 400 ? -9 : 9), y: y(p) + 4, "text-anchor": x(p) > 400 ? "end" : "start"}, text);
  svg.setAttribute("viewBox", "0 0 560 310");
  svg.replaceChildren(...points.map(p => titled(element("circle", {class: "dot", cx: x(p), cy: y(p), r: 3.5}), p.task)));
  const near = points.find(p => p.task === made?.position?.nearest.task);
  if (near) svg.append(element("circle", {class: "near", cx: x(near), cy: y(near), r: 7}), label(near, near.task));
  if (made?.place) svg.append(titled(element("circle", {class: "here", cx: x(made.place), cy: y(made.place), r: 6}), "this description"), label(made.place, "this description", true));
}

function table(rows) {
  const made = document.createElement("table");
  rows.forEach((cells, i) => made.append(node("tr", "", ...cells.map(cell => node(i ? "td" : "th", cell)))));
  return made;
}

function recorded(found) {
  if (!found) {
    at("recorded").append(node("p", "There is none yet: no evaluation of this checkpoint lies in models/recorded."));
    return;
  }
  const {verdict, commit, device, log, commands} = found.about;
  at("recorded").append(table(found.scores), node("p", verdict));
  if (found.differences.length) at("recorded").append(table(found.differences));
  at("recorded").append(node("p", `Recorded at commit ${commit} on ${device}, log models/recorded/${log}. To do it again:`), ...commands.map(command => node("p", "", node("code", command))));
}

async function begin() {
  about = await (await fetch("/api/about")).json();
  at("about").textContent = `${about.base}, frozen, on ${about.backend}; the hypernetwork was trained on ${about.trainingTasks} tasks, none of those below among them. All answers are computed now; nothing leaves this machine.`;
  at("examples").replaceChildren(...about.examples.map(example => chip(example.title, () => choose(example))));
  [at("other").value] = about.mixing.slice(-1);
  recorded(about.recorded);
  map();
  if (about.examples.length) choose(about.examples[0]);
}

for (const name of ["share", "strength"]) {
  at(name).oninput = () => { at(name + "-value").textContent = Number(at(name).value).toFixed(2); };
  at(name).onchange = () => { look(); if (at("base").textContent) answer(); };
}
at("description").onchange = look;
at("mixing").ontoggle = look;
at("other").onchange = look;
at("ask").onsubmit = event => { event.preventDefault(); answer(); };
begin().catch(e => state(e.message, true));
