package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page in a real browser; skipped where there is none. */
class PageTest {
    private static final int ENTER = 13;
    private static final int ESCAPE = 27;

    @Test
    void showsTheClusterAndTalksByKeyboardAlone(@TempDir Path directory) throws Exception {
        Optional<Path> program = Browser.program();
        assumeTrue(program.isPresent(), "no Chromium: install the package chromium");
        Path pictures = Files.createDirectories(Path.of("target", "page"));
        try (Served served = Served.start(
                        Map.of("troupe.replica.pipeline-parallel", 2, "troupe.replica.tensor-parallel", 2));
                Browser browser = Browser.start(program.get(), directory)) {
            browser.open(served.uri("/"));
            Served.await(
                    "the page asks for a key", () -> text(browser, "headline").contains("a key is needed"));
            browser.evaluate("document.getElementById('key').focus()");
            browser.type(Served.KEY);
            browser.press("Enter", ENTER);
            Served.await(
                    "the page shows the model", () -> text(browser, "headline").startsWith("tales"));

            browser.evaluate("document.getElementById('say').focus()");
            browser.type("Once upon a time");
            browser.press("Enter", ENTER);
            Served.await("an answer comes", () -> text(browser, "talk").length() > 60);
            browser.press("Escape", ESCAPE);
            Served.await(
                    "it stops",
                    () -> eval(browser, "document.getElementById('stop').disabled")
                            .equals("true"));
            Served.await("stages are shown", () -> text(browser, "stages").contains("stage 1"));
            Served.await(
                    "rates are drawn",
                    () -> eval(browser, "document.querySelectorAll('canvas').length")
                            .equals("2"));

            assertThat(text(browser, "stages")).contains("layers 0", "rank 1", "KV groups", "cpu0", "tokens/s");
            assertThat(text(browser, "kv-text")).contains("blocks of", "prompt tokens were found");
            assertThat(text(browser, "kv-legend")).contains("in use", "free");
            showsStepsUntilItIsHeld(browser);
            drawsNoStepOverAnother(browser);
            for (String scheme : new String[] {"light", "dark"}) {
                browser.prefer(scheme);
                browser.screenshot(pictures.resolve(scheme + ".png"));
            }
            assertThat(eval(
                            browser,
                            "performance.getEntriesByType('resource').every(r => r.name.startsWith(location.origin))"))
                    .isEqualTo("true");
        }
    }

    private static void showsStepsUntilItIsHeld(Browser browser) throws Exception {
        assertThat(eval(browser, "document.querySelectorAll('#timeline .track').length"))
                .as("a row for each stage")
                .isEqualTo("2");
        assertThat(eval(browser, "document.querySelectorAll('#timeline .step').length % 2"))
                .as("a bar for each step on each stage")
                .isEqualTo("0");
        assertThat(eval(browser, "document.querySelector('#timeline .step title').textContent"))
                .contains("stage 0", "sequences", "tokens");
        assertThat(text(browser, "pipeline")).contains("Bubble: stage 0", "(S − 1) / (M + S − 1)", "S = 2 stages");
        browser.evaluate("document.getElementById('hold').focus()");
        browser.press("Enter", ENTER);
        browser.evaluate("document.querySelector('#timeline .step').dataset.seen = 'yes'");
        String drawn = text(browser, "kv-text");
        browser.evaluate("document.getElementById('kv-text').textContent = ''");
        Served.await("another look", () -> text(browser, "kv-text").equals(drawn));
        assertThat(eval(browser, "document.querySelector('#timeline .step').dataset.seen"))
                .as("held, the picture stands still")
                .isEqualTo("yes");
        browser.press("Enter", ENTER);
    }

    /** Ten steps, of which five are open on stage 0 at a time, and one on stage 1. */
    private static void drawsNoStepOverAnother(Browser browser) {
        String overlaps = eval(browser, """
                (() => {
                  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
                  document.body.appendChild(document.createElement("div")).append(svg);
                  const steps = Array.from({ length: 10 }, (_, i) => ({ step: i + 1, sequences: 1, tokens: 1, sent: i, retired: i + 8,
                    spans: [[i, i + 5], [i + 5, i + 6]] }));
                  TroupeTimeline.draw(svg, steps, 2);
                  const boxes = [...svg.querySelectorAll(".step")].map(bar => ["x", "y", "width", "height"].map(
                    name => Number(bar.getAttribute(name))));
                  const rows = new Set(boxes.map(box => box[1])).size;
                  const over = boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b => a[0] < b[0] + b[2] && b[0] < a[0] + a[2]
                    && a[1] < b[1] + b[3] && b[1] < a[1] + a[3]));
                  const last = svg.querySelectorAll(".track")[1];
                  const fits = Number(last.getAttribute("y")) + Number(last.getAttribute("height")) <= svg.getAttribute("height");
                  svg.parentNode.remove();
                  return `${boxes.length} bars in ${rows} lanes, ${over.length} overlap, fits ${fits}`;
                })()""");

        assertThat(overlaps).isEqualTo("20 bars in 6 lanes, 0 overlap, fits true");
    }

    private static String text(Browser browser, String id) {
        return eval(browser, "document.getElementById('%s')?.textContent ?? ''".formatted(id));
    }

    private static String eval(Browser browser, String expression) {
        try {
            return browser.evaluate(expression);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
