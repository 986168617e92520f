package dev.troupe.stage;

import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.tensor.Floats;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * All ranks of all stages as plain runners, and a network between them that has no order: every message is delivered
 * when chance says so, some in pieces, some twice, some again from another epoch. Guides are compiled when chance says so.
 */
public final class SimulatedReplica {
    /** Of all steps. */
    public static final Epoch EPOCH = new Epoch(3, 7);

    private final Random random;
    private final Partition partition;
    private final List<List<StepRunner>> runners = new ArrayList<>();
    private final List<StepRunner> all = new ArrayList<>();
    private final List<StepRunner> notJoined = new ArrayList<>();
    private final List<Runnable> network = new ArrayList<>();
    private final List<StepResult> results = new ArrayList<>();
    private final List<String> refused = new ArrayList<>();
    private final List<Runnable> heldGuides = new ArrayList<>();
    private boolean guidesHeld;
    private boolean faults = true;

    /** @param computes by stage and rank */
    public SimulatedReplica(
            Random random,
            Partition partition,
            int blocks,
            int blockSize,
            BiFunction<Integer, Integer, ShardCompute> computes) {
        this(random, partition, blocks, blockSize, computes, null);
    }

    /** @param tokens what ranks of the last stage follow guides with */
    SimulatedReplica(
            Random random,
            Partition partition,
            int blocks,
            int blockSize,
            BiFunction<Integer, Integer, ShardCompute> computes,
            @Nullable TokenTable tokens) {
        this.random = random;
        this.partition = partition;
        ReplicaPlan plan = TestPlans.plan(partition, "here", blockSize, blocks);
        for (int stage = 0; stage < partition.stages().size(); stage++) {
            List<StepRunner> ranks = new ArrayList<>();
            for (int rank = 0; rank < partition.stages().get(stage).ranks().size(); rank++) {
                ShardProgress progress = new ShardProgress(new ShardId(EPOCH, stage, rank), System::nanoTime);
                Share share = new Share(computes.apply(stage, rank), new Guides(tokens, this::compile));
                StepRunner runner = new StepRunner(plan, share, Backlog.Limits.DEFAULT, new Output(stage), progress);
                ranks.add(runner);
                all.add(runner);
            }
            runners.add(ranks);
        }
        notJoined.addAll(all);
    }

    /** No more repeated, split or stale messages. */
    SimulatedReplica withoutFaults() {
        faults = false;
        return this;
    }

    private void compile(Runnable guide) {
        (guidesHeld ? heldGuides : network).add(guide);
    }

    /** From now on no guide is compiled until {@link #releaseGuides}. */
    void holdGuides() {
        guidesHeld = true;
    }

    /** Guides are compiled again, when chance says so. */
    void releaseGuides() {
        guidesHeld = false;
        network.addAll(heldGuides);
        heldGuides.clear();
    }

    /** Sends a step to the first stage. */
    public void execute(StepBatch batch) {
        for (StepRunner runner : runners.getFirst()) {
            network.add(() -> runner.execute(batch));
            if (faults && chance(10)) {
                network.add(() -> runner.execute(batch));
            }
            if (faults && chance(10)) {
                network.add(() -> runner.execute(new StepBatch(
                        other(batch.epoch()), batch.step(), batch.entries(), batch.released(), batch.retired())));
            }
        }
    }

    /** Results so far, in the order in which they left; the caller takes them out. */
    public List<StepResult> results() {
        return results;
    }

    /** Steps that a rank could not take. */
    public List<String> refused() {
        return refused;
    }

    List<StepRunner> all() {
        return all;
    }

    StepRunner runner(int stage, int rank) {
        return runners.get(stage).get(rank);
    }

    /** Does one thing that can be done, drawn by chance; false when there is none. */
    public boolean tick() {
        List<StepRunner> working = new ArrayList<>();
        for (StepRunner runner : all) {
            if (runner.hasWork()) {
                working.add(runner);
            }
        }
        int choices = network.size() + working.size() + notJoined.size();
        if (choices == 0) {
            return false;
        }
        int choice = random.nextInt(choices);
        if (choice < network.size()) {
            Runnable delivery = network.get(choice);
            network.set(choice, network.getLast());
            network.removeLast();
            delivery.run();
        } else if (choice < network.size() + working.size()) {
            working.get(choice - network.size()).advance();
        } else {
            notJoined.remove(choice - network.size() - working.size()).join();
        }
        return true;
    }

    /** Delivers and does all that there is. */
    void drain() {
        boolean more = true;
        while (more) {
            more = tick();
        }
    }

    /** Joins all ranks at once. */
    public void join() {
        notJoined.forEach(StepRunner::join);
        notJoined.clear();
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    private Epoch other(Epoch epoch) {
        return chance(50) ? new Epoch(epoch.round() - 1, epoch.issuer()) : new Epoch(epoch.round(), epoch.issuer() + 1);
    }

    private void post(StepRunner to, TensorMessage message) {
        for (TensorMessage piece : faults && chance(30) ? split(message) : List.of(message)) {
            network.add(() -> to.deliver(piece));
            if (faults && chance(10)) {
                network.add(() -> to.deliver(piece));
            }
        }
        if (faults && chance(5)) {
            TensorMessage stale = stale(message);
            network.add(() -> to.deliver(stale));
        }
    }

    private List<TensorMessage> split(TensorMessage message) {
        return switch (message) {
            case Partial p
            when p.values().rows() > 1 -> {
                int at = 1 + random.nextInt(p.values().rows() - 1);
                yield List.of(rows(p, 0, at), rows(p, at, p.values().rows()));
            }
            case HandOff h
            when h.values().rows() > 1 -> {
                int at = 1 + random.nextInt(h.values().rows() - 1);
                yield List.of(rows(h, 0, at), rows(h, at, h.values().rows()));
            }
            default -> List.of(message);
        };
    }

    private static Partial rows(Partial p, int from, int to) {
        Floats piece = p.values().floats().slice(from, to);
        return new Partial(
                p.epoch(),
                p.step(),
                p.exchange(),
                p.fromRank(),
                p.fromGroup(),
                p.toGroup(),
                p.firstRow() + from,
                piece);
    }

    private static HandOff rows(HandOff h, int from, int to) {
        return new HandOff(
                h.batch(),
                h.failedTokens(),
                h.work(),
                h.firstRow() + from,
                h.values().floats().slice(from, to));
    }

    private TensorMessage stale(TensorMessage message) {
        Epoch epoch = other(message.epoch());
        return switch (message) {
            case Partial p ->
                new Partial(
                        epoch,
                        p.step(),
                        p.exchange(),
                        p.fromRank(),
                        p.fromGroup(),
                        p.toGroup(),
                        p.firstRow(),
                        new Floats(
                                p.values().rows(),
                                p.values().columns(),
                                new float[p.values().rows() * p.values().columns()]));
            case HandOff h -> {
                StepBatch b = h.batch();
                yield new HandOff(
                        new StepBatch(epoch, b.step(), b.entries(), b.released(), b.retired()),
                        h.failedTokens(),
                        h.work(),
                        h.firstRow(),
                        h.values());
            }
            case Candidates c ->
                new Candidates(epoch, c.step(), c.fromRank(), c.round(), c.answers(), c.failedTokens(), c.deferred());
            case CandidateRequest r -> new CandidateRequest(epoch, r.step(), r.round(), r.wants(), r.limits());
        };
    }

    private final class Output implements StepOutput {
        private final int stage;

        Output(int stage) {
            this.stage = stage;
        }

        @Override
        public void toPeer(int rank, TensorMessage message) {
            post(runner(stage, rank), message);
        }

        @Override
        public void toNextStage(int rank, HandOff handOff) {
            post(runner(stage + 1, rank), handOff);
        }

        @Override
        public void result(StepResult result) {
            results.add(result);
        }

        @Override
        public void refused(String reason) {
            refused.add(reason);
        }
    }

    /** Stages of the partition. */
    int stages() {
        return partition.stages().size();
    }
}
