package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;

/**
 * What a scheduler does about an epoch that serves, but not as well as it could: leaves it for one without a slow device, if
 * the others can take its ranks, or for one with a larger split. Nobody is killed for it, and streams lose nothing: their
 * tokens are computed again. Owned by one thread.
 */
final class Upkeep {
    private final SchedulerSettings settings;
    private final LongSupplier nanoTime;
    private final SlowDevices devices;
    private final Avoided avoided;
    private final Growth growth;

    /** Slow ones; the next look says whether the others can take their ranks. */
    private Set<String> slow = Set.of();

    private int ranks;

    Upkeep(SchedulerSettings settings, LongSupplier nanoTime) {
        this.settings = settings;
        this.nanoTime = nanoTime;
        this.devices = new SlowDevices(settings.slow());
        this.avoided = new Avoided(settings.slow().avoid(), nanoTime);
        this.growth = new Growth(settings.waits().grow(), nanoTime);
    }

    /** A new epoch serves. */
    void begin(Epoch epoch, ReplicaPlan plan) {
        devices.begin(epoch, plan);
        growth.begin();
        slow = Set.of();
        ranks = plan.slots().stream().mapToInt(List::size).sum();
    }

    /** Whether anything is ever looked at. */
    boolean isWanted() {
        return settings.slow().isWatched() || growth.isWanted();
    }

    /** Whether a look can change anything. */
    boolean isCurious(boolean busy) {
        return (busy && settings.slow().isWatched()) || (growth.isWanted() && isSmall());
    }

    private boolean isSmall() {
        return ranks < settings.pipelineParallel() * settings.tensorParallel();
    }

    /** Slots that a placement avoids. */
    Set<String> avoided() {
        return avoided.now();
    }

    /** Slots that a placement would avoid if the scheduler left the epoch: what to ask about. */
    Set<String> wouldAvoid() {
        Set<String> all = new HashSet<>(avoided.now());
        all.addAll(slow);
        return all;
    }

    /**
     * Notes what a look has found.
     *
     * @param findings the answer to a question about {@link #wouldAvoid}
     * @param calm whether another epoch costs no wait
     * @param again tokens to compute again in another epoch
     * @return why to leave the epoch now, for people, if there is a reason
     */
    Optional<String> note(Placement.Findings findings, boolean calm, int again) {
        Set<String> asked = slow;
        List<SlowDevices.Verdict> verdicts =
                settings.slow().isWatched() ? devices.look(nanoTime.getAsLong(), findings.ranks()) : List.of();
        slow = verdicts.stream().map(SlowDevices.Verdict::slot).collect(Collectors.toUnmodifiableSet());
        if (!slow.isEmpty() && slow.equals(asked) && findings.possible() > 0 && calm) {
            return Optional.of(verdicts.stream()
                    .map(verdict -> "%s; it is avoided for %d s"
                            .formatted(
                                    verdict.reason(),
                                    avoided.add(verdict.slot()).toSeconds()))
                    .collect(Collectors.joining("; ")));
        }
        boolean larger = isSmall() && findings.possible() > ranks;
        if (growth.isDue(larger, again <= settings.limits().tokensPerStep()) && calm) {
            growth.grow();
            return Optional.of("there is room for %d ranks and it has %d".formatted(findings.possible(), ranks));
        }
        return Optional.empty();
    }

    /** Between two looks. */
    static Duration every() {
        return Duration.ofSeconds(1);
    }
}
