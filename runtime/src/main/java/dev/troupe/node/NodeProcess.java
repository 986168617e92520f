package dev.troupe.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Another Troupe process on this machine, started with this one's Java, flags and class path. It ends when this process
 * ends, however that happens, because its standard input closes then ({@code --exit-with-parent}).
 */
public final class NodeProcess implements AutoCloseable {
    private static final String MAIN = "dev.troupe.cli.Main";
    private static final int TAIL_LINES = 20;

    private final String name;
    private final Process process;
    private final Path log;
    private final Thread hook;

    private NodeProcess(String name, Process process, Path log) {
        this.name = name;
        this.process = process;
        this.log = log;
        this.hook = Thread.ofPlatform().name("end-" + name).unstarted(process::destroyForcibly);
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /**
     * Starts {@code troupe node} with these arguments.
     *
     * @param name for people
     * @param log gets all it prints
     * @param jvmOptions further JVM options, after this process's own
     * @param arguments of the {@code node} command
     * @throws UncheckedIOException if the process cannot be started
     */
    public static NodeProcess start(String name, Path log, List<String> jvmOptions, List<String> arguments) {
        List<String> node = new ArrayList<>(List.of("node", "--exit-with-parent"));
        node.addAll(arguments);
        return startCommand(name, log, jvmOptions, node);
    }

    /** Starts any command of {@code troupe}; it must end by itself when its standard input closes. */
    public static NodeProcess startCommand(String name, Path log, List<String> jvmOptions, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        // An agent (a debugger, a coverage recorder) watches one process, not those that it starts.
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(option -> !option.startsWith("-javaagent:") && !option.startsWith("-agentlib:"))
                .forEach(command::add);
        command.add("-Dtroupe.home=" + Installation.home().toAbsolutePath());
        command.addAll(jvmOptions);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN));
        command.addAll(arguments);
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .redirectInput(ProcessBuilder.Redirect.PIPE)
                    .start();
            return new NodeProcess(name, process, log);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start " + name + ": " + e.getMessage(), e);
        }
    }

    public String name() {
        return name;
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** SIGKILL on Unix. */
    public void kill() {
        process.destroyForcibly();
    }

    /** The last lines it printed. */
    public String logTail() {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - TAIL_LINES), lines.size()));
        } catch (IOException e) {
            return "(cannot read " + log + ": " + e.getMessage() + ")";
        }
    }

    /** Asks it to leave: SIGTERM on Unix. */
    public void leave() {
        process.destroy();
    }

    /** Asks it to leave, waits a little, then kills it. */
    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook has run or will.
            process.destroyForcibly();
        }
    }
}
