package dev.troupe.chaos;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Whether a fault took effect, seen from outside: by the state of the process where it runs on this machine, else by its
 * silence; by the node's own counters where the process goes on. A fault that nobody saw proves nothing.
 *
 * @param tookEffect whether it did
 * @param seen what was seen, for people
 */
public record Evidence(boolean tookEffect, String seen) {
    private static final Duration LOOK_FOR = Duration.ofSeconds(30);
    private static final Duration SILENCE = Duration.ofSeconds(2);
    private static final long LOOK_EVERY_MILLIS = 10;

    /**
     * Looks until the fault is seen, or for half a minute.
     *
     * @param before the victim's counters before the fault
     */
    static Evidence await(Chaos chaos, String node, Fault fault, ChaosAgent.Observation before)
            throws InterruptedException {
        long end = System.nanoTime() + LOOK_FOR.toNanos();
        Evidence last = new Evidence(false, "nothing was seen");
        while (System.nanoTime() < end) {
            last = isHere(node, before.pid())
                    ? ofProcess(chaos, node, fault, before)
                    : ofAnswers(chaos, node, fault, before);
            if (last.tookEffect()) {
                return last;
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_EVERY_MILLIS);
        }
        return last;
    }

    /** Whether the process can be looked at from here: a loopback address, and a system with /proc. */
    private static boolean isHere(String node, long pid) {
        return node.startsWith("127.") && Files.isDirectory(Path.of("/proc", "self")) && pid > 0;
    }

    private static Evidence ofProcess(Chaos chaos, String node, Fault fault, ChaosAgent.Observation before)
            throws InterruptedException {
        char state = state(before.pid());
        if (fault.isFatal()) {
            return new Evidence(state == GONE, "process %d is %s".formatted(before.pid(), name(state)));
        }
        if (fault instanceof Fault.Pause) {
            return new Evidence(state == STOPPED, "process %d is %s".formatted(before.pid(), name(state)));
        }
        return ofAnswers(chaos, node, fault, before);
    }

    private static final char GONE = 'X';
    private static final char STOPPED = 'T';

    /** The letter of proc(5), a zombie counting as gone. */
    static char state(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
            char state = stat.charAt(stat.lastIndexOf(')') + 2);
            return state == 'Z' ? GONE : state;
        } catch (IOException e) {
            return GONE;
        }
    }

    private static String name(char state) {
        return switch (state) {
            case GONE -> "gone";
            case STOPPED -> "stopped (state T)";
            default -> "running (state " + state + ")";
        };
    }

    private static Evidence ofAnswers(Chaos chaos, String node, Fault fault, ChaosAgent.Observation before)
            throws InterruptedException {
        ChaosAgent.Answer answer;
        try {
            answer = chaos.observe(node, SILENCE).toCompletableFuture().get();
        } catch (ExecutionException e) {
            boolean silent = e.getCause() instanceof TimeoutException;
            boolean meant = fault.isFatal() || fault instanceof Fault.Pause;
            return new Evidence(silent && meant, "node %s does not answer".formatted(node));
        }
        return switch (answer) {
            case ChaosAgent.Refused(String reason) -> new Evidence(false, reason);
            case ChaosAgent.Observation now
            when !now.node().equals(before.node()) ->
                new Evidence(fault.isFatal(), "%s has taken the place of %s".formatted(now.node(), before.node()));
            case ChaosAgent.Observation now -> ofCounters(fault, before, now);
        };
    }

    private static Evidence ofCounters(Fault fault, ChaosAgent.Observation before, ChaosAgent.Observation now) {
        return switch (fault) {
            case Fault.Slow _ -> counted(now.slowed() - before.slowed(), "units of compute were slowed");
            case Fault.StuckKernel _ -> counted(now.stuck() - before.stuck(), "units of compute were blocked");
            case Fault.Cut _ -> counted(now.cut() - before.cut(), "tensor messages were dropped");
            case Fault.ResetConnections _ -> counted(now.reset() - before.reset(), "connections were closed");
            case Fault.Kill _, Fault.CrashInExchange _, Fault.Poison _, Fault.Pause _ ->
                new Evidence(false, "node %s goes on as before".formatted(now.node()));
        };
    }

    private static Evidence counted(long count, String what) {
        return new Evidence(count > 0, "%d %s".formatted(count, what));
    }

    /** Asks for counters. */
    static ChaosAgent.Observation observe(Chaos chaos, String node) throws ChaosRefusedException, InterruptedException {
        CompletableFuture<ChaosAgent.Answer> asked = chaos.observe(node).toCompletableFuture();
        try {
            return switch (asked.get()) {
                case ChaosAgent.Observation observation -> observation;
                case ChaosAgent.Refused(String reason) -> throw new ChaosRefusedException(reason);
            };
        } catch (ExecutionException e) {
            throw new ChaosRefusedException(
                    "node %s does not answer questions about chaos (%s): is it a node of this version that can be reached from here?"
                            .formatted(node, e.getCause()));
        }
    }
}
