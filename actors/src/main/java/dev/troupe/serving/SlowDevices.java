package dev.troupe.serving;

import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardWork;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Finds devices that take much longer than others for the same work: a gray failure, which no deadline sees. Ranks of one
 * stage wait for each other, so step times say nothing about who is slow; what is compared is each rank's own time in local
 * work, by row and by its share of a layer. All ranks compute the same rows.
 *
 * <p>A device is compared with the median of the other devices of its epoch; one that is alone, with its own earlier rate
 * for steps of about as many rows and about as long a context. Where all are slow nobody is slower than the others. It
 * must be slow in every look for a while, and its slowness must cost the replica time: a pause, a page fault or a few slow
 * microseconds are no reason to compute everything again elsewhere. A device that gets faster from look to look is warming up:
 * its process has just been started, and its code is not compiled yet.
 *
 * <p>Owned by one thread.
 */
final class SlowDevices {
    /** Slow looks in a row that it takes at least. */
    private static final int LOOKS = 3;

    /** Units of work in them that it takes at least. */
    private static final int UNITS = 16;

    /** A rate that is at most so much of the one before is that of a device which is warming up. */
    private static final double WARMING = 0.8;

    /** Share of the time between two looks that the slowness must have cost. */
    private static final double COST = 0.1;

    /** Looks after which a device's own rate is known, and the weight of each further one. */
    private static final int OWN_LOOKS = 3;

    private static final double NEWEST = 0.2;

    /** Own rates kept; nodes that are gone leave theirs behind. */
    private static final int MOST_KEPT = 1024;

    private final SchedulerSettings.Slow settings;
    private final Map<ShardId, Share> shares = new HashMap<>();
    private final Map<String, Integer> ranksOn = new TreeMap<>();
    private final Map<ShardId, ShardWork> before = new HashMap<>();
    private final Map<String, Suspicion> suspicions = new HashMap<>();
    private final Map<String, Double> lastRates = new HashMap<>();
    private final Map<Kind, Own> own = new HashMap<>();
    private long lastLook;

    SlowDevices(SchedulerSettings.Slow settings) {
        this.settings = settings;
    }

    /** What a rank is given of every layer, in KV groups. */
    private record Share(String slot, int groups) {}

    /** Slow since then, in so many looks, with so many units. */
    private record Suspicion(long since, int looks, long units) {}

    /** Steps whose rates can be compared, by powers of two. */
    private record Kind(String slot, int rows, int context) {}

    /** What a device takes, in nanoseconds for a row and KV group, and from how many looks that is known. */
    private record Own(double nanos, int looks) {}

    /** A slow device; the reason is for people. */
    record Verdict(String slot, String reason) {}

    /** What a device has done between two looks, by all of its ranks. */
    private static final class Done {
        private final int ranks;
        long nanos;
        long units;
        long rows;
        long positions;
        long shares;

        /** Ranks of one device get in each other's way, so each may take as many times longer as there are {@code ranks}. */
        Done(int ranks) {
            this.ranks = ranks;
        }

        void add(ShardWork work, int groups) {
            nanos += work.nanos();
            units += work.units();
            rows += work.rows();
            positions += work.positions();
            shares += work.rows() * groups;
        }

        double perShare() {
            return (double) nanos / shares / ranks;
        }

        double perRow() {
            return (double) nanos / rows / ranks;
        }
    }

    /** From now on it is about this epoch. */
    void begin(Epoch epoch, ReplicaPlan plan) {
        shares.clear();
        ranksOn.clear();
        before.clear();
        suspicions.clear();
        lastRates.clear();
        for (int stage = 0; stage < plan.slots().size(); stage++) {
            for (int rank = 0; rank < plan.slots().get(stage).size(); rank++) {
                Partition.Rank given =
                        plan.partition().stages().get(stage).ranks().get(rank);
                String slot = plan.slots().get(stage).get(rank);
                shares.put(new ShardId(epoch, stage, rank), new Share(slot, given.toGroup() - given.fromGroup()));
                ranksOn.merge(slot, 1, Integer::sum);
            }
        }
    }

    /**
     * Looks at what the ranks have done.
     *
     * @param now in nanoseconds of a monotonic clock
     * @return devices that have been slow for long enough
     */
    List<Verdict> look(long now, List<Placement.RankReport> ranks) {
        Map<String, Done> done = since(ranks);
        List<Verdict> verdicts = new ArrayList<>();
        for (Map.Entry<String, Done> entry : done.entrySet()) {
            String slot = entry.getKey();
            Done device = entry.getValue();
            double rate = device.perShare();
            double before = lastRates.getOrDefault(slot, rate);
            lastRates.put(slot, rate);
            double usual = ranksOn.size() > 1 ? ofOthers(slot, device, done) : ofItself(slot, device);
            if (Double.isNaN(usual)) {
                continue;
            }
            boolean dear = device.nanos * (1 - usual / rate) > COST * (now - lastLook);
            if (rate < settings.factor() * usual || !dear) {
                suspicions.remove(slot);
                learn(slot, device, rate);
                continue;
            }
            if (rate < WARMING * before) {
                suspicions.remove(slot);
                continue;
            }
            Suspicion suspicion = suspicions.getOrDefault(slot, new Suspicion(lastLook, 0, 0));
            suspicion = new Suspicion(suspicion.since(), suspicion.looks() + 1, suspicion.units() + device.units);
            suspicions.put(slot, suspicion);
            if (suspicion.looks() >= LOOKS
                    && suspicion.units() >= UNITS
                    && now - suspicion.since() >= settings.after().toNanos()) {
                verdicts.add(new Verdict(slot, reason(slot, rate, usual, now - suspicion.since())));
            }
        }
        lastLook = now;
        return verdicts;
    }

    private static String reason(String slot, double rate, double usual, long nanos) {
        return String.format(
                Locale.ROOT,
                "%s has taken %.1f times as long as it should for its share of the work (%.1f us for a row and KV group, expected %.1f) for %.1f s",
                slot,
                rate / usual,
                rate / 1e3,
                usual / 1e3,
                nanos / 1e9);
    }

    private Map<String, Done> since(List<Placement.RankReport> ranks) {
        Map<String, Done> done = new TreeMap<>();
        for (Placement.RankReport rank : ranks) {
            Share share = shares.get(rank.id());
            if (share == null) {
                continue;
            }
            ShardWork last = before.put(rank.id(), rank.work());
            if (last != null && rank.work().units() > last.units()) {
                done.computeIfAbsent(share.slot(), slot -> new Done(ranksOn.getOrDefault(slot, 1)))
                        .add(rank.work().since(last), share.groups());
            }
        }
        return done;
    }

    /**
     * What others take, or NaN when none has done anything. Where a unit is so small that its overhead counts, a small share
     * seems slow; so both ways to compare must say so.
     */
    private double ofOthers(String slot, Done device, Map<String, Done> done) {
        List<Double> perShare = new ArrayList<>();
        List<Double> perRow = new ArrayList<>();
        done.forEach((otherSlot, other) -> {
            if (!otherSlot.equals(slot)) {
                perShare.add(other.perShare());
                perRow.add(other.perRow());
            }
        });
        if (perShare.isEmpty()) {
            return Double.NaN;
        }
        double scale = device.perShare() / device.perRow();
        return Math.max(median(perShare), median(perRow) * scale);
    }

    /** Of two in the middle the faster one. */
    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return sorted.get((sorted.size() - 1) / 2);
    }

    private double ofItself(String slot, Done device) {
        Own known = own.get(kind(slot, device));
        return known == null || known.looks() < OWN_LOOKS ? device.perShare() : known.nanos();
    }

    private void learn(String slot, Done device, double rate) {
        if (own.size() >= MOST_KEPT) {
            own.clear();
        }
        own.merge(kind(slot, device), new Own(rate, 1), (known, fresh) -> {
            double weight = Math.max(NEWEST, 1.0 / (known.looks() + 1));
            return new Own(known.nanos() + weight * (fresh.nanos() - known.nanos()), known.looks() + 1);
        });
    }

    private static Kind kind(String slot, Done device) {
        return new Kind(slot, log(device.rows / device.units), log(device.positions / device.rows));
    }

    private static int log(long value) {
        return Long.SIZE - Long.numberOfLeadingZeros(value);
    }
}
