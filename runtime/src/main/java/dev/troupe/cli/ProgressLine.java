package dev.troupe.cli;

import java.io.PrintStream;

/**
 * One line on standard error that says how far a long piece of work is. It appears only after a moment, is rewritten in place
 * on a terminal, and is not shown where standard error is no terminal.
 */
final class ProgressLine implements AutoCloseable {
    private static final long PATIENCE_NANOS = 500_000_000;
    private static final long REWRITE_NANOS = 100_000_000;

    private final PrintStream out;
    private final boolean terminal;
    private final long started = System.nanoTime();
    private long shownAt;
    private boolean shown;

    ProgressLine(PrintStream out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** A line on standard error of this process. */
    static ProgressLine onStandardError() {
        return new ProgressLine(System.err, Terminal.isInteractive());
    }

    /** Shows {@code what}: {@code done} of {@code total} bytes. */
    synchronized void bytes(String what, long done, long total) {
        long percent = total == 0 ? 100 : 100 * done / total;
        show("%s %3d%% of %.1f MB".formatted(what, percent, total / 1e6));
    }

    /** Shows {@code text}. */
    synchronized void show(String text) {
        long now = System.nanoTime();
        if (!terminal || now - started < PATIENCE_NANOS || (shown && now - shownAt < REWRITE_NANOS)) {
            return;
        }
        out.print("\r\u001b[2K" + text);
        out.flush();
        shown = true;
        shownAt = now;
    }

    /** Removes the line. */
    @Override
    public synchronized void close() {
        if (shown) {
            out.print("\r\u001b[2K");
            out.flush();
            shown = false;
        }
    }
}
