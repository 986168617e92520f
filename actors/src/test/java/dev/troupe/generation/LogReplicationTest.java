package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Owners and holders of one log under a network that loses, repeats and delays messages: whatever an owner has shown stays in
 * the log of every later owner, and an owner that was replaced shows nothing more.
 */
class LogReplicationTest {
    private static final GenerationId ID = new GenerationId("g", "n0");
    private static final GenerationRequest REQUEST =
            GenerationRequest.of("m", Ints.of(1)).build();
    private static final int SEEDS = 2_000;
    private static final int NODES = 5;

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void keepsWhatWasShownThroughLossesRepetitionsAndNewOwners(int part) {
        int takeovers = 0;
        int moves = 0;
        int refused = 0;
        for (int seed = part * SEEDS / 4; seed < (part + 1) * SEEDS / 4; seed++) {
            Run run = new Run(seed);
            run.play();
            takeovers += run.takeovers;
            moves += run.moves;
            refused += run.refused;
        }

        assertThat(takeovers).as("takeovers").isGreaterThan(SEEDS / 8);
        assertThat(moves).as("nodes lost").isGreaterThan(SEEDS / 40);
        assertThat(refused).as("old owners refused").isGreaterThan(SEEDS / 40);
    }

    /** An owner: its log, and what it has shown. */
    private static final class Owner {
        private final int node;
        private final TokenLog log;
        private final TestInbox<LogKeeper.Answer> answers;
        private long shown;
        private boolean paused;

        Owner(int node, TokenLog log, TestInbox<LogKeeper.Answer> answers) {
            this.node = node;
            this.log = log;
            this.answers = answers;
        }
    }

    /** A node: what it holds, and where messages to it wait. */
    private static final class Node {
        private final TestInbox<LogKeeper.Command> inbox = TestInbox.create();
        private final HeldLogs logs;
        private boolean alive = true;

        Node(HeldLogs logs) {
            this.logs = logs;
        }
    }

    private static final class Run {
        private final int seed;
        private final Random random;
        private final List<Node> nodes = new ArrayList<>();
        private final List<Owner> owners = new ArrayList<>();
        private final Map<Long, LogEntry> shown = new HashMap<>();
        private long now;
        private OwnerTerm newest = OwnerTerm.first(0);
        private int takeovers;
        private int moves;
        private int refused;

        Run(int seed) {
            this.seed = seed;
            this.random = new Random(seed);
            for (int node = 0; node < NODES; node++) {
                nodes.add(new Node(new HeldLogs(Duration.ofMinutes(5), () -> now)));
            }
        }

        void play() {
            open(0, newest, List.of(), List.of());
            for (int step = 0; step < 300; step++) {
                now += Duration.ofMillis(random.nextInt(60)).toNanos();
                act();
                owners.forEach(this::show);
            }
            heal();
        }

        private void act() {
            int dice = random.nextInt(100);
            Owner current = owners.getLast();
            if (dice < 25) {
                Owner owner = owners.get(random.nextInt(owners.size()));
                if (!owner.paused) {
                    append(owner);
                }
            } else if (dice < 60) {
                List<Node> waiting =
                        nodes.stream().filter(node -> node.inbox.hasMessages()).toList();
                if (!waiting.isEmpty()) {
                    deliver(waiting.get(random.nextInt(waiting.size())));
                }
            } else if (dice < 85) {
                answer(owners.get(random.nextInt(owners.size())));
            } else if (dice < 94) {
                owners.stream().filter(owner -> !owner.paused).forEach(this::check);
            } else if (dice < 95 && owners.size() < 4) {
                takeOver(current);
            } else if (dice < 99) {
                loseANode(current);
            } else {
                owners.subList(0, owners.size() - 1).forEach(owner -> owner.paused = random.nextBoolean());
            }
        }

        private void append(Owner owner) {
            int position = (int) owner.log.size() + 1;
            // The token tells who has computed it: the same place of the log must never be shown with two values.
            int token = 1000 * owners.indexOf(owner) + position;
            owner.log.append(new LogEntry.Computed(
                    new Epoch(1, 1), new Output.Token(0, position, token, 0, Float.NaN, List.of())));
            owner.log.flush();
        }

        private void check(Owner owner) {
            owner.log.check();
            owner.log.flush();
        }

        /** The network loses one message in five, and repeats one in five. */
        private void deliver(Node node) {
            LogKeeper.Command command = node.inbox.receiveMessage();
            if (!node.alive || random.nextInt(5) == 0) {
                return;
            }
            handle(node, command);
            if (random.nextInt(5) == 0) {
                handle(node, command);
            }
        }

        private static void handle(Node node, LogKeeper.Command command) {
            switch (command) {
                case LogKeeper.Open open -> open.replyTo().tell(node.logs.open(open));
                case LogKeeper.Append append -> append.replyTo().tell(node.logs.append(append));
                case LogKeeper.Forget forget -> node.logs.forget(forget);
                default -> throw new AssertionError("an owner does not send " + command);
            }
        }

        private void answer(Owner owner) {
            if (owner.paused || !owner.answers.hasMessages()) {
                return;
            }
            LogKeeper.Answer answer = owner.answers.receiveMessage();
            if (random.nextInt(5) > 0) {
                boolean was = owner.log.takenBy().isPresent();
                owner.log.on(answer);
                owner.log.flush();
                refused += !was && owner.log.takenBy().isPresent() ? 1 : 0;
            }
        }

        private void show(Owner owner) {
            if (owner.log.takenBy().isPresent()) {
                return;
            }
            while (owner.shown < owner.log.durable()) {
                LogEntry entry = owner.log.read(owner.shown, 1).getFirst();
                LogEntry before = shown.putIfAbsent(owner.shown, entry);
                assertThat(before == null || before.equals(entry))
                        .as("seed %d: entry %d was shown as %s and as %s", seed, owner.shown, before, entry)
                        .isTrue();
                owner.shown++;
            }
        }

        /** What Succession does, with the newest copy. */
        private void takeOver(Owner before) {
            Node best = null;
            LogKeeper.Found found = null;
            for (Node node : nodes) {
                if (node.alive
                        && node.logs.seek(new LogKeeper.Seek(ID, nodes.indexOf(node), before.answers.getRef()))
                                instanceof LogKeeper.Found here
                        && (found == null
                                || here.term().compareTo(found.term()) > 0
                                || (here.term().equals(found.term()) && here.entries() > found.entries()))) {
                    best = node;
                    found = here;
                }
            }
            int to = random.nextInt(NODES);
            boolean twoAreLost = nodes.stream().anyMatch(node -> !node.alive) && !isSettled(before);
            if (twoAreLost || best == null || found == null || to == before.node || !nodes.get(to).alive) {
                return;
            }
            OwnerTerm term = found.term().next(to);
            best.logs.claim(new LogKeeper.Claim(ID, term, 0, before.answers.getRef()));
            for (Node node : nodes) {
                if (node.alive && node != best) {
                    node.logs.fence(new LogKeeper.Fence(ID, term, 0, before.answers.getRef()));
                }
            }
            List<LogEntry> entries = ((LogKeeper.Page)
                            best.logs.read(new LogKeeper.Read(ID, term, 0, 0, before.answers.getRef())))
                    .entries();
            for (long place = 0; place < shown.size(); place++) {
                assertThat(place < entries.size() ? entries.get((int) place) : null)
                        .as("seed %d: entry %d of the new owner", seed, place)
                        .isEqualTo(shown.get(place));
            }
            takeovers++;
            newest = term;
            open(to, term, entries, List.of(holder(nodes.indexOf(best))));
        }

        /** One node, when the log has two holders: that is the loss which does no harm. */
        private void loseANode(Owner current) {
            int which = random.nextInt(NODES);
            if (nodes.stream().allMatch(node -> node.alive)
                    && isSettled(current)
                    && owners.stream().noneMatch(owner -> owner.node == which)) {
                nodes.get(which).alive = false;
                moves++;
                check(current);
            }
        }

        private static boolean isSettled(Owner owner) {
            return owner.log.isHeld() && owner.log.durable() == owner.log.size();
        }

        private void open(int node, OwnerTerm term, List<LogEntry> entries, List<LogHolders.Holder> previous) {
            TestInbox<LogKeeper.Answer> answers = TestInbox.create();
            TokenLog log = ReplicatedTokenLog.factory(others(node), Duration.ofSeconds(1), () -> now)
                    .open(new TokenLog.Opening(ID, term, REQUEST, Duration.ZERO, entries, previous, answers.getRef()));
            owners.add(new Owner(node, log, answers));
            log.flush();
        }

        private LogHolders.Holder holder(int node) {
            return new LogHolders.Holder("n" + node, nodes.get(node).inbox.getRef());
        }

        private LogHolders others(int self) {
            return new LogHolders() {
                @Override
                public long self() {
                    return self;
                }

                @Override
                public List<Holder> others() {
                    List<Holder> holders = new ArrayList<>();
                    for (int node = 0; node < NODES; node++) {
                        if (node != self && nodes.get(node).alive) {
                            holders.add(holder(node));
                        }
                    }
                    return holders;
                }

                @Override
                public List<Holder> all() {
                    return others();
                }
            };
        }

        /** When no message is lost any more, the newest owner gets all that it has logged shown, and no other does. */
        private void heal() {
            Owner last = owners.getLast();
            append(last);
            owners.forEach(owner -> owner.paused = false);
            for (int round = 0; round < 200; round++) {
                now += Duration.ofMillis(300).toNanos();
                owners.forEach(this::check);
                for (Node node : nodes) {
                    while (node.inbox.hasMessages()) {
                        LogKeeper.Command command = node.inbox.receiveMessage();
                        if (node.alive) {
                            handle(node, command);
                        }
                    }
                }
                for (Owner owner : owners) {
                    while (owner.answers.hasMessages()) {
                        owner.log.on(owner.answers.receiveMessage());
                    }
                }
                owners.forEach(this::show);
            }
            assertThat(last.log.takenBy()).as("seed %d: newest owner", seed).isEmpty();
            assertThat(last.shown).as("seed %d: shown at the end", seed).isEqualTo(last.log.size());
        }
    }
}
