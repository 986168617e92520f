package dev.troupe.process;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Another JVM with this one's class path, whose main class runs {@link ChildLoop}. One question at a time; everything else it
 * prints goes to a log, whose end is part of every error.
 */
public final class ChildJvm {
    private static final int SIGKILL_EXIT = 128 + 9;
    private static final int TAIL_LINES = 60;
    private static final List<String> FLAGS = List.of(
            "-XX:-UseParallelGC", "-XX:+UseSerialGC", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData");

    private final String name;
    private final Process process;
    private final Path log;
    private final BufferedWriter questions;
    private final LinkedBlockingQueue<String> answers = new LinkedBlockingQueue<>();

    private ChildJvm(String name, Process process, Path log) {
        this.name = name;
        this.process = process;
        this.log = log;
        this.questions = new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
    }

    static ChildJvm start(String name, Path log, String main, List<String> arguments) throws IOException {
        Files.createDirectories(log.toAbsolutePath().getParent());
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        String options = System.getProperty("troupe.java.options");
        if (options != null) {
            command.add("@" + options);
        }
        command.addAll(FLAGS);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main));
        command.addAll(arguments);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        ChildJvm child = new ChildJvm(name, process, log);
        Thread.ofPlatform().name("read-" + name).daemon().start(child::read);
        return child;
    }

    private void read() {
        try (BufferedReader lines =
                        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
                BufferedWriter rest = Files.newBufferedWriter(log)) {
            String line = lines.readLine();
            while (line != null) {
                if (line.startsWith(ChildLoop.ANSWER) || line.startsWith(ChildLoop.FAILURE)) {
                    answers.add(line);
                }
                rest.write(line);
                rest.newLine();
                rest.flush();
                line = lines.readLine();
            }
        } catch (IOException e) {
            // The process was killed while it was printing; what it printed before is in the log.
            answers.add(ChildLoop.FAILURE + "its output broke off: " + e.getMessage());
        }
    }

    /** How tests call it. */
    public String name() {
        return name;
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /**
     * Asks and waits for the answer.
     *
     * @param within scaled by {@link Calibration}
     * @throws IllegalStateException if it answers with a failure, not in time, or has ended
     */
    public String ask(String question, Duration within) {
        try {
            questions.write(question);
            questions.newLine();
            questions.flush();
        } catch (IOException e) {
            throw failed("cannot be asked '%s': %s".formatted(question, e.getMessage()));
        }
        return answer(question, within);
    }

    /** Waits for the first word of the child, which says that it is there. */
    String ready(Duration within) {
        return answer("(start)", within);
    }

    private String answer(String question, Duration within) {
        Duration limit = Calibration.scale(within);
        String answer = poll(limit);
        if (answer == null) {
            throw failed("did not answer '%s' within %s%s"
                    .formatted(question, limit, process.isAlive() ? "" : ", exit value " + process.exitValue()));
        }
        if (answer.startsWith(ChildLoop.FAILURE)) {
            throw failed("'%s' failed: %s".formatted(question, answer.substring(ChildLoop.FAILURE.length())));
        }
        return answer.substring(ChildLoop.ANSWER.length());
    }

    private @Nullable String poll(Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        try {
            String answer = answers.poll(100, TimeUnit.MILLISECONDS);
            while (answer == null && process.isAlive() && System.nanoTime() < deadline) {
                answer = answers.poll(100, TimeUnit.MILLISECONDS);
            }
            return answer == null ? answers.poll() : answer;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }

    private IllegalStateException failed(String what) {
        return new IllegalStateException(
                "process %s (%d) %s%n--- end of %s%n%s".formatted(name, process.pid(), what, log, tail()));
    }

    private String tail() {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - TAIL_LINES), lines.size()));
        } catch (IOException e) {
            return "(no log: " + e.getMessage() + ")";
        }
    }

    /**
     * Kills it as {@code kill -9} does, and sees that it is dead by that.
     *
     * @return when the signal was sent, by {@link System#nanoTime()}, in nanoseconds
     * @throws IllegalStateException if it had ended before, or does not die
     */
    public long kill() {
        if (!process.isAlive()) {
            throw failed("had ended before it was killed, exit value " + process.exitValue());
        }
        long sent = System.nanoTime();
        process.destroyForcibly();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                throw failed("is alive 10 s after SIGKILL");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("could not be waited for");
        }
        if (process.exitValue() != SIGKILL_EXIT) {
            throw failed("ended with exit value %d, expected %d: the kill did not take effect"
                    .formatted(process.exitValue(), SIGKILL_EXIT));
        }
        return sent;
    }

    /** Closes its standard input, on which it ends by itself, and waits. */
    public int end(Duration within) {
        try {
            questions.close();
            if (process.waitFor(Calibration.scale(within).toMillis(), TimeUnit.MILLISECONDS)) {
                return process.exitValue();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw failed("did not end when its input was closed");
    }

    void destroy() {
        process.destroyForcibly();
    }

    void awaitEnd() {
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                throw failed("is alive 10 s after SIGKILL");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
