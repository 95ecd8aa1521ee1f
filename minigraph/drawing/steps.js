"use strict";
// Shows the steps that were recorded: it computes nothing, and puts text into the page as text only.

const { steps, heads } = JSON.parse(document.getElementById("steps").textContent);
const [counter, slider, panel, play] =
  ["counter", "slider", "panel", "play"].map((id) => document.getElementById(id));
const svg = document.querySelector("main svg");
const nodes = new Set(steps.map((step) => step.node));
const drawn = [...svg.querySelectorAll("g.node, g.edge")].filter(
  (g) => nodes.has(g.id) || g.id in heads);
const firstBackward = steps.findIndex((step) => step.backward) + 1; // steps count from 1
const reduced = matchMedia("(prefers-reduced-motion: reduce)");
let current = 1;
let timer = 0;

function element(id) {
  return drawn.find((g) => g.id === id);
}

function show(number) {
  current = Math.min(Math.max(number || 1, 1), steps.length);
  const step = steps[current - 1];
  counter.textContent = `${current} / ${steps.length} ${step.backward ? "backward" : "forward"}`;
  counter.className = step.backward ? "gradient" : "";
  slider.value = current;
  slider.setAttribute("aria-valuetext", counter.textContent);
  mark(step);
  tell(step.name, [step]);
  try {
    history.replaceState(null, "", `#${current}`);
  } catch { /* a page inside a notebook has no address */ }
}

function mark(step) {
  const done = steps.slice(0, current);
  const computed = new Set(done.filter((s) => !s.backward).map((s) => s.node));
  const sent = new Set(done.map((s) => s.edge));
  for (const g of drawn) {
    const end = heads[g.id] ?? g.id;
    g.classList.toggle("future", !computed.has(end));
    g.classList.toggle("now", g.id === step.node || g.id === step.edge);
    g.classList.toggle("gradient", sent.has(g.id) || (step.backward && g.id === step.node));
  }
  element(step.node).scrollIntoView({
    block: "nearest", inline: "nearest", behavior: reduced.matches ? "auto" : "smooth",
  });
}

function tell(name, told) {
  panel.replaceChildren(line("h2", name));
  for (const step of told) {
    const part = line("div", "", step.backward ? "step gradient" : "step");
    const text = step.text === name ? "" : step.text; // the heading says it
    const texts = [text, step.entries, step.size, step.state, step.total];
    texts.forEach((said, i) => {
      if (said) part.append(line("p", said, i === 1 || i === 4 ? "entries" : ""));
    });
    panel.append(part);
  }
}

function line(tag, text, classes = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = classes;
  return made;
}

// What a node is and what its gradient is made of, as far as the steps have come

function about(node) {
  return steps.slice(0, current).filter((step) => step.node === node);
}

function hovered(event) {
  const node = event.target.closest("g.node");
  const told = node ? about(node.id) : [];
  if (told.length) tell(told[0].name, told);
}

function clicked(event) {
  const node = event.target.closest("g.node");
  const backward = steps[current - 1].backward;
  const of = (way) => steps.findLastIndex((s) => node && s.node === node.id && s.backward === way);
  const found = backward && of(true) >= 0 ? of(true) : of(false);
  if (found >= 0) go(found + 1);
}

// Moving

function go(number) {
  stop();
  show(number);
}

function stop() {
  clearInterval(timer);
  timer = 0;
  play.textContent = "play";
}

function start() {
  if (current === steps.length) show(1);
  play.textContent = "pause";
  timer = setInterval(() => (current < steps.length ? show(current + 1) : stop()), 1200);
}

function pressed(event) {
  const moves = {
    ArrowLeft: current - 1, ArrowRight: current + 1, Home: 1, End: steps.length,
  };
  if (!(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault(); // the slider would move too
  go(moves[event.key]);
}

function addressed() {
  go(Number.parseInt(location.hash.slice(1), 10));
}

slider.max = steps.length;
document.getElementById("back").onclick = () => go(current - 1);
document.getElementById("next").onclick = () => go(current + 1);
document.getElementById("backward").onclick = () => go(firstBackward);
document.getElementById("backward").disabled = !firstBackward;
play.onclick = () => (timer ? stop() : start());
slider.oninput = () => go(Number(slider.value));
svg.onmouseover = hovered;
svg.onmouseleave = () => show(current);
svg.onclick = clicked;
document.onkeydown = pressed;
window.onhashchange = addressed;
addressed();
