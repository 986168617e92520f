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

            assertThat(text(browser, "stages")).contains("layers 0", "rank 1", "KV groups");
            assertThat(text(browser, "kv-text")).contains("free", "blocks");
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
