package dev.troupe.serving;

import dev.troupe.generation.Generation;
import dev.troupe.generation.GenerationEvent;
import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.LogEntry;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Somebody who reads one stream, as a client and its front end do together: when its owner is silent, or something is missing, it
 * goes on at another node. Whatever it gets must be what an undisturbed run gives.
 */
final class SimulatedClient {
    private static final long PING_EVERY_MILLIS = 400;
    private static final long SILENT_MILLIS = 1_500;
    private static final long REST_MILLIS = 250;
    private static final int MOST_DOUBLINGS = 3;
    private static final int MOST_REFUSALS = 60;

    private final SimulatedCluster cluster;
    private final SimulatedWorld world;
    private final String value;
    private final boolean oneFault;
    private final GenerationRequest request;
    private final List<List<Integer>> expected = new ArrayList<>();
    private final List<List<Integer>> seen = new ArrayList<>();
    /** Entries of every choice that were read. */
    private final List<List<LogEntry>> entries = new ArrayList<>();

    private final Map<SimulatedWorld.Node, SimulatedOwner> owners = new LinkedHashMap<>();
    private SimulatedWorld.Node front;

    /** As the generation was named when it began; null until that is known. */
    private @Nullable GenerationId original;

    private long attempt;

    /** Entries that this attempt has told, and those of every choice. */
    private long read;

    private int[] readOf = {};

    private long heardAt;
    private int fruitless = -1;
    private int refusals;
    private int moves;
    private boolean ended;
    private boolean hungUp;
    private @Nullable GenerationFailure failure;

    /**
     * @param oneFault whether there is never more than one fault at a time: then nothing that was told may be lost
     */
    SimulatedClient(SimulatedCluster cluster, int index, boolean oneFault) {
        this.cluster = cluster;
        this.world = cluster.world;
        this.value = "g" + index;
        this.oneFault = oneFault;
        int prompt = 1 + world.random.nextInt(20);
        // Many prompts begin alike.
        int common = world.random.nextInt(prompt + 1);
        request = GenerationRequest.of(
                        "counting",
                        Ints.of(IntStream.range(0, prompt)
                                .map(i -> i < common ? i : world.random.nextInt(CountingReplica.VOCABULARY))
                                .toArray()))
                .n(1 + world.random.nextInt(2))
                .maxTokens(1 + world.random.nextInt(60))
                .sampling(SamplingParameters.greedy())
                .linger(Duration.ofSeconds(30))
                .build();
        for (int choice = 0; choice < request.n(); choice++) {
            Submission submission = new Submission(
                    new GenerationId(value, ""),
                    "",
                    request.prompt(),
                    List.of(new Submission.Choice(choice, Ints.of())),
                    request.sampling(),
                    request.finish(),
                    request.returns());
            expected.add(CountingReplica.completion(submission, choice));
            seen.add(new ArrayList<>());
            entries.add(new ArrayList<>());
        }
        front = cluster.any();
        ask();
        if (world.random.nextInt(8) == 0) {
            world.later(world.random.nextInt(4_000), this::hangUp);
        }
        world.later(PING_EVERY_MILLIS, this::tick);
    }

    boolean isOver() {
        return ended || hungUp || failure != null;
    }

    @Nullable
    GenerationFailure failure() {
        return failure;
    }

    int moves() {
        return moves;
    }

    /** Asks the node that is the one to ask now. */
    private void ask() {
        attempt++;
        read = 0;
        readOf = new int[request.n()];
        heardAt = world.now();
        fruitless++;
        long now = attempt;
        SimulatedWorld.Node to = front;
        GenerationId resumes = original;
        world.send(cluster.clients, to, SimulatedCluster.once(() -> {
            if (resumes == null) {
                new SimulatedOwner(cluster, to, this, value + "." + now).begin(now, request);
            } else {
                owner(to, resumes).resume(now, resumes, request);
            }
        }));
    }

    /** A generation that goes on at a node is one entity there. */
    private SimulatedOwner owner(SimulatedWorld.Node node, GenerationId resumes) {
        SimulatedOwner there = owners.get(node);
        if (there == null || !there.isAlive()) {
            there = new SimulatedOwner(cluster, node, this, resumes.value());
            owners.put(node, there);
        }
        return there;
    }

    /** Nobody wants any more of it. */
    private void hangUp() {
        if (!isOver()) {
            world.note("the client of %s hangs up".formatted(value));
            hungUp = true;
            cancelAtFront();
        }
    }

    private void cancelAtFront() {
        SimulatedOwner owner = owners.get(front);
        if (owner != null) {
            world.send(cluster.clients, front, SimulatedCluster.once(owner::cancel));
        }
    }

    private void tick() {
        if (isOver()) {
            return;
        }
        long silent = (world.now() - heardAt) / 1_000_000;
        if (silent > SILENT_MILLIS << Math.clamp(fruitless, 0, MOST_DOUBLINGS)) {
            move("it is silent for %d ms".formatted(silent));
        } else {
            SimulatedOwner owner = owners.get(front);
            long now = attempt;
            if (owner != null) {
                world.send(cluster.clients, front, SimulatedCluster.once(() -> owner.pinged(now)));
            }
        }
        world.later(PING_EVERY_MILLIS, this::tick);
    }

    private void move(String why) {
        world.note("the client of %s leaves %s with %d entries: %s".formatted(value, front, has(), why));
        moves++;
        next();
        ask();
    }

    private void next() {
        List<SimulatedWorld.Node> live = cluster.live(cluster.clients);
        if (!live.isEmpty()) {
            SimulatedWorld.Node before = front;
            front = live.stream()
                    .filter(node -> node.startedAt > before.startedAt
                            || (node.startedAt == before.startedAt && node.place > before.place))
                    .findFirst()
                    .orElse(live.getFirst());
        }
    }

    void started(SimulatedOwner owner, long now, GenerationId id) {
        if (now != attempt || hungUp) {
            owner.cancel(); // another has opened meanwhile
            return;
        }
        heard();
        original = id;
        owners.put(owner.node, owner);
    }

    void resumed(SimulatedOwner owner, long now, Generation.Resumption answer) {
        if (now != attempt || isOver()) {
            return;
        }
        heard();
        switch (answer) {
            case Generation.Resumed got -> {
                world.note("%s goes on at %s with %d entries, the client has %d"
                        .formatted(value, owner.node, got.entries(), has()));
                FailOverSimulation.require(
                        !oneFault || got.entries() >= has(),
                        "%s was told %d entries, and its log has %d".formatted(value, has(), got.entries()));
            }
            case Generation.NotResumed(GenerationId _, GenerationFailure why) -> refused(why);
        }
    }

    void pong(long now, long told) {
        if (now == attempt && !isOver()) {
            heard();
            if (told > read) {
                move("entries from %d to %d were lost".formatted(read, told - 1));
            }
        }
    }

    private void heard() {
        heardAt = world.now();
    }

    void event(long now, GenerationEvent event) {
        if (now != attempt || hungUp) {
            return;
        }
        FailOverSimulation.require(!isOver(), "%s got %s after its end".formatted(value, event));
        heard();
        switch (event) {
            case GenerationEvent.Entries(GenerationId _, long first, List<LogEntry> told) -> {
                if (first > read) {
                    move("entry %d came after entry %d".formatted(first, read - 1));
                    return;
                }
                FailOverSimulation.require(first == read, "%s got entry %d, expected %d".formatted(value, first, read));
                told.forEach(this::read);
            }
            case GenerationEvent.Ended(GenerationId _, int _, int completionTokens, int _) -> {
                if (completionTokens > tokens()) {
                    move("the last entries were lost");
                    return;
                }
                ended = true;
                cancelAtFront();
                FailOverSimulation.require(
                        seen.equals(expected), "%s ended with %s, expected %s".formatted(value, seen, expected));
            }
            case GenerationEvent.Failed(GenerationId _, GenerationFailure why) -> {
                switch (why.kind()) {
                    case GONE, SUPERSEDED -> refused(why);
                    default -> over(why);
                }
            }
        }
    }

    private int has() {
        return entries.stream().mapToInt(List::size).sum();
    }

    private int tokens() {
        return seen.stream().mapToInt(List::size).sum();
    }

    private void read(LogEntry entry) {
        read++;
        if (entry instanceof LogEntry.Finished finished && finished.reason() == FinishReason.ERROR) {
            return; // why follows
        }
        List<LogEntry> known = entries.get(entry.choice());
        int place = readOf[entry.choice()]++;
        if (place < known.size()) {
            FailOverSimulation.require(
                    sameOutput(entry, known.get(place)),
                    "%s got %s again as %s".formatted(value, known.get(place), entry));
            return;
        }
        known.add(entry);
        fruitless = 0;
        refusals = 0;
        if (entry instanceof LogEntry.Computed computed && computed.output() instanceof Output.Token token) {
            List<Integer> tokens = seen.get(token.choice());
            List<Integer> right = expected.get(token.choice());
            FailOverSimulation.require(
                    token.position() == request.prompt().size() + tokens.size()
                            && tokens.size() < right.size()
                            && right.get(tokens.size()) == token.token(),
                    "%s got %s after %s, expected %s".formatted(value, token, tokens, right));
            tokens.add(token.token());
        }
    }

    /** Whatever epoch computed it. */
    private static boolean sameOutput(LogEntry a, LogEntry b) {
        return (a instanceof LogEntry.Computed(var _, Output one)
                        && b instanceof LogEntry.Computed(var _, Output other))
                ? one.equals(other)
                : a.equals(b);
    }

    private void refused(GenerationFailure why) {
        refusals++;
        if (refusals > MOST_REFUSALS) {
            over(why);
            return;
        }
        world.note("%s is refused at %s: %s".formatted(value, front, why.reason()));
        next();
        attempt++; // whatever comes of this one is late
        world.later(REST_MILLIS, this::ask);
    }

    private void over(GenerationFailure why) {
        failure = why;
        world.note("%s failed: %s".formatted(value, why));
        FailOverSimulation.require(
                switch (why.kind()) {
                    case POISON, LOST, NO_CAPACITY -> true;
                    case GONE -> !oneFault;
                    default -> false;
                },
                "%s failed: %s".formatted(value, why));
    }

    @Override
    public String toString() {
        return "%s (%d entries, over: %s)".formatted(value, has(), isOver());
    }
}
