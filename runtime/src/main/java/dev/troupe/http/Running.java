package dev.troupe.http;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.stream.UniqueKillSwitch;

/**
 * The generations of this server that clients may name: those that run, and the recordings of those that they may come back to. Old
 * recordings make room for new ones. Thread-safe.
 */
final class Running {
    private final int mostRecordings;
    private final Map<Answer, Cancel> running = new HashMap<>();
    private final Map<String, Recording> recordings = new HashMap<>();
    private final ArrayDeque<String> oldest = new ArrayDeque<>();

    private record Cancel(String tenant, UniqueKillSwitch killSwitch) {}

    /** @param mostRecordings how many are kept */
    Running(int mostRecordings) {
        this.mostRecordings = mostRecordings;
    }

    synchronized void begin(String tenant, Answer answer, UniqueKillSwitch killSwitch) {
        running.put(answer, new Cancel(tenant, killSwitch));
    }

    /** Ends the generations of an answer that nobody waits for. */
    synchronized void giveUp(Answer answer) {
        Cancel cancel = running.get(answer);
        if (cancel != null) {
            cancel.killSwitch().abort(new Generations.CancelledException("the client has hung up"));
        }
    }

    synchronized void end(Answer answer) {
        running.remove(answer);
    }

    synchronized void record(String generation, Recording recording) {
        recordings.put(generation, recording);
        oldest.add(generation);
        while (oldest.size() > mostRecordings) {
            recordings.remove(oldest.remove());
        }
    }

    /** Another front end goes on with it. */
    synchronized void forget(String generation) {
        recordings.remove(generation);
        oldest.remove(generation);
    }

    /** What was recorded of a tenant's generation. */
    synchronized Optional<Recording> recording(String tenant, String generation) {
        return Optional.ofNullable(recordings.get(generation))
                .filter(recording -> recording.tenant().equals(tenant));
    }

    /** A generation that runs. */
    record Generation(String id, int tokens) {}

    /** A tenant's generations, as far as they have begun. */
    synchronized List<Generation> of(String tenant) {
        return running.entrySet().stream()
                .filter(entry -> entry.getValue().tenant().equals(tenant))
                .map(entry -> new Generation(entry.getKey().id(), entry.getKey().completionTokens()))
                .sorted(Comparator.comparing(Generation::id))
                .toList();
    }

    /** Ends a tenant's generation; false if none of that name runs. */
    synchronized boolean cancel(String tenant, String generation) {
        return running.entrySet().stream()
                .filter(entry -> entry.getKey().id().equals(generation)
                        && entry.getValue().tenant().equals(tenant))
                .findFirst()
                .map(entry -> {
                    entry.getValue()
                            .killSwitch()
                            .abort(new Generations.CancelledException("the generation was cancelled"));
                    return true;
                })
                .orElse(false);
    }
}
