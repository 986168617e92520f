"use strict";
// Draws the last steps of a replica: a row for each stage, a bar for each step, and where no step is, there is a gap.
window.TroupeTimeline = (() => {
  const ROW = 34;
  const LANE = 7;
  const MOST_LANES = 32;
  const BETWEEN = 8;
  const LEFT = 62;
  const RIGHT = 10;
  const AXIS = 22;
  const COLOURS = 6;
  const NARROWEST = 34;

  const make = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const duration = seconds => {
    const [value, unit] = seconds >= 1 ? [seconds, " s"] : seconds >= 0.001 ? [seconds * 1e3, " ms"] : [seconds * 1e6, " µs"];
    return Number(value.toPrecision(3)) + unit;
  };

  /** The newest steps, back to where nothing had been in flight for long. */
  function together(steps, most) {
    const newest = steps.slice(-most);
    const usual = newest.map(step => step.retired - step.sent).sort((a, b) => a - b)[newest.length >> 1];
    let from = newest.length - 1;
    while (from > 0 && newest[from].sent - newest[from - 1].retired < 5 * usual) from--;
    return newest.slice(from);
  }

  /** The lane of each step of a stage, by step: the first that is free again. So they are as many as steps were open at a time. */
  function lanes(steps, stage) {
    const ends = [];
    const of = new Map();
    [...steps].sort((a, b) => a.spans[stage][0] - b.spans[stage][0]).forEach(step => {
      const [from, to] = step.spans[stage];
      let lane = ends.findIndex(end => end <= from + 1e-9);
      if (lane < 0) lane = Math.min(ends.length, MOST_LANES - 1);
      ends[lane] = Math.max(to, ends[lane] ?? -Infinity);
      of.set(step.step, lane);
    });
    return { of, count: ends.length };
  }

  function tick(span, most) {
    const rough = span / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough);
  }

  function axis(svg, x, begin, end, bottom, width) {
    const every = tick(end - begin, Math.max(2, Math.floor(width / 110)));
    for (let at = 0; at <= end - begin; at += every) {
      svg.append(make("line", { x1: x(begin + at), x2: x(begin + at), y1: 0, y2: bottom, class: "tick" }));
      if (x(begin + at) < width - 24) {
        svg.append(make("text", { x: x(begin + at), y: bottom + 15, class: "scale" }, at === 0 ? "0" : duration(at)));
      }
    }
  }

  /**
   * @param svg where to draw
   * @param steps oldest first: step, sequences, tokens, sent, retired, and spans of [start, end] by stage, in seconds
   * @param stages how many
   */
  function draw(svg, steps, stages) {
    svg.replaceChildren();
    const width = Math.max(280, svg.parentNode.clientWidth);
    svg.setAttribute("width", width);
    svg.setAttribute("height", stages * (ROW + BETWEEN) + AXIS);
    if (steps.length === 0) return;
    const shown = together(steps, Math.max(6, Math.floor((width - LEFT) / NARROWEST)));
    const begin = shown[0].sent;
    const end = Math.max(...shown.map(step => step.retired));
    const x = time => LEFT + ((time - begin) / (end - begin || 1)) * (width - LEFT - RIGHT);
    const rows = Array.from({ length: stages }, (_, stage) => lanes(shown, stage));
    const height = row => Math.max(ROW, row.count * LANE);
    const bottom = rows.reduce((sum, row) => sum + height(row) + BETWEEN, 0);
    svg.setAttribute("height", bottom + AXIS);
    axis(svg, x, begin, end, bottom, width);
    let top = BETWEEN / 2;
    rows.forEach((row, stage) => {
      const lane = height(row) / row.count;
      svg.append(make("text", { x: 0, y: top + height(row) / 2 + 4, class: "row" }, "stage " + stage));
      svg.append(make("rect", { x: LEFT, y: top, width: width - LEFT - RIGHT, height: height(row), class: "track" }));
      shown.forEach(step => bar(svg, step, stage, x, top + row.of.get(step.step) * lane, lane));
      top += height(row) + BETWEEN;
    });
  }

  function bar(svg, step, stage, x, top, height) {
    const [from, to] = step.spans[stage];
    const width = Math.max(1.5, x(to) - x(from) - 1);
    const made = make("rect", { x: x(from), y: top + 1, width, height: height - 2, rx: 3, class: "step m" + (step.step % COLOURS) });
    made.append(make("title", {}, `step ${step.step}, stage ${stage}: ${duration(to - from)}; ${step.sequences} sequences, ${step.tokens} tokens`));
    svg.append(made);
    const label = String(step.step);
    if (width > 8 * label.length + 4 && height > 14) {
      svg.append(make("text", { x: x(from) + width / 2, y: top + height / 2 + 4, class: "number" }, label));
    }
  }

  return { draw, duration };
})();
