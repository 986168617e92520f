package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.sampling.Logprob;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Plans steps at random and checks every answer against the undisturbed run: prompts in chunks of any size with several
 * in flight, drafted tokens, cancels and recomputation with blocks that other sequences get in the very same step.
 */
final class SimulatedScheduler {
    private static final int NO_DRAFT = -1;

    private final Random random;
    private final Oracle oracle;
    private final SimulatedReplica replica;
    private final int blockSize;
    private final Deque<Integer> freeBlocks = new ArrayDeque<>();
    private final List<Plan> waiting = new ArrayList<>();
    private final Map<Long, Plan> known = new LinkedHashMap<>();
    private final Map<Long, List<Plan>> inFlight = new HashMap<>();
    private final List<Long> released = new ArrayList<>();
    private final int microBatches;
    private long nextSequence = 1;
    private long nextStep = 1;
    private long retired;
    int cancelled;
    int recomputed;
    int failed;
    int finished;
    int chunksOfOnePrompt;
    int draftsAccepted;
    int draftsRejected;
    int means;
    int scores;

    SimulatedScheduler(
            Random random, Oracle oracle, SimulatedReplica replica, int blocks, int blockSize, int microBatches) {
        this.random = random;
        this.oracle = oracle;
        this.replica = replica;
        this.blockSize = blockSize;
        this.microBatches = microBatches;
        IntStream.range(0, blocks).forEach(freeBlocks::add);
    }

    /** One sequence: what it should become, and how far it is. */
    private final class Plan {
        final SequenceStart prompt;
        final List<TokenDraw.Token> expected;
        final int length;
        long id;
        Ints tokens;
        boolean described;
        int planned;
        final List<Integer> held = new ArrayList<>();
        int pending;
        int draft = NO_DRAFT;
        boolean gone;

        Plan(SequenceStart prompt, int length) {
            this.prompt = prompt;
            this.length = length;
            this.expected = oracle.complete(prompt, length);
            this.tokens = prompt.tokens();
        }

        int drawn() {
            return tokens.size() - prompt.tokens().size();
        }
    }

    void submit(SequenceStart prompt, int length) {
        waiting.add(new Plan(prompt, length));
    }

    /** Messages of rank 0 that asked for more candidates. */
    long roundsOfCandidates(int ranks) {
        return ranks == 1 ? 0 : replica.runner(replica.stages() - 1, 0).counts().candidatesSent();
    }

    boolean done() {
        return waiting.isEmpty() && known.isEmpty() && inFlight.isEmpty();
    }

    /** Takes results, and by chance plans a step. */
    void tick() {
        while (!replica.results().isEmpty()) {
            take(replica.results().removeFirst());
        }
        if (inFlight.size() < microBatches && random.nextInt(4) > 0) {
            plan();
        }
    }

    private void plan() {
        if (!known.isEmpty() && random.nextInt(100) < 6) {
            Plan victim = new ArrayList<>(known.values()).get(random.nextInt(known.size()));
            forget(victim);
            if (random.nextBoolean()) {
                cancelled++;
            } else {
                Plan again = new Plan(victim.prompt, victim.length);
                again.tokens = victim.tokens;
                waiting.add(again);
                recomputed++;
            }
        }
        while (!waiting.isEmpty() && known.size() < 4) {
            Plan plan = waiting.removeFirst();
            plan.id = nextSequence++;
            known.put(plan.id, plan);
        }
        List<StepEntry> entries = new ArrayList<>();
        List<Plan> plans = new ArrayList<>();
        for (Plan plan : known.values()) {
            StepEntry entry = random.nextInt(5) == 0 ? null : entry(plan);
            if (entry != null) {
                entries.add(entry);
                plans.add(plan);
            }
        }
        if (!entries.isEmpty()) {
            replica.execute(new StepBatch(SimulatedReplica.EPOCH, nextStep, entries, released, retired));
            released.clear();
            inFlight.put(nextStep++, plans);
        }
    }

    private @Nullable StepEntry entry(Plan plan) {
        int left = plan.tokens.size() - plan.planned;
        if (left == 0) {
            return null;
        }
        int chunk = 1 + random.nextInt(left);
        boolean whole = chunk == left;
        Ints tokens = plan.tokens.slice(plan.planned, plan.planned + chunk);
        if (whole && plan.drawn() + 1 < plan.length && random.nextInt(4) == 0) {
            plan.draft = guess(plan);
            tokens = tokens.append(Ints.of(plan.draft));
        }
        int needed = Math.ceilDiv(plan.planned + tokens.size(), blockSize) - plan.held.size();
        if (needed > freeBlocks.size()) {
            plan.draft = NO_DRAFT;
            return null;
        }
        int[] newBlocks = IntStream.range(0, Math.max(0, needed))
                .map(i -> freeBlocks.removeFirst())
                .toArray();
        IntStream.of(newBlocks).forEach(plan.held::add);
        if (plan.pending > 0) {
            chunksOfOnePrompt++;
        }
        SequenceStart start = plan.described
                ? null
                : new SequenceStart(
                        plan.tokens,
                        plan.prompt.promptLength(),
                        plan.prompt.sampling(),
                        plan.prompt.choice(),
                        plan.prompt.means());
        StepEntry entry =
                new StepEntry(plan.id, start, plan.planned, tokens, Ints.of(newBlocks), wants(plan, tokens, whole));
        plan.described = true;
        plan.planned += chunk;
        plan.pending++;
        return entry;
    }

    private int guess(Plan plan) {
        int next = plan.drawn() < plan.expected.size()
                ? plan.expected.get(plan.drawn()).token()
                : NO_DRAFT;
        boolean right = next >= 0 && !oracle.fails(next) && random.nextBoolean();
        return right ? next : 100 + random.nextInt(100);
    }

    private List<Want> wants(Plan plan, Ints tokens, boolean whole) {
        List<Want> wants = new ArrayList<>();
        for (int offset = 0; offset < tokens.size(); offset++) {
            int position = plan.planned + offset;
            if (whole && position >= plan.tokens.size() - 1) {
                wants.add(new Want(offset, Want.Kind.TOKEN));
            }
            if (position < plan.tokens.size() && random.nextInt(12) == 0) {
                wants.add(new Want(offset, kind(plan)));
            }
        }
        return wants;
    }

    private Want.Kind kind(Plan plan) {
        List<Want.Kind> kinds = plan.prompt.means()
                ? List.of(Want.Kind.MEAN, Want.Kind.SCORE)
                : List.of(Want.Kind.ROW, Want.Kind.HIDDEN, Want.Kind.SCORE);
        return kinds.get(random.nextInt(kinds.size()));
    }

    private void forget(Plan plan) {
        plan.gone = true;
        known.remove(plan.id);
        if (plan.described) {
            released.add(plan.id);
        }
        freeBlocks.addAll(plan.held);
    }

    private void take(StepResult result) {
        assertThat(result.step()).as("results leave in order").isEqualTo(retired + 1);
        retired = result.step();
        List<Plan> plans = Objects.requireNonNull(inFlight.remove(result.step()), result::toString);
        assertThat(result.work()).hasSize(replica.stages());
        Map<Long, Plan> byId = new HashMap<>();
        plans.forEach(plan -> {
            plan.pending--;
            byId.put(plan.id, plan);
        });
        for (StepResult.Failure failure : result.failures()) {
            fail(Objects.requireNonNull(byId.get(failure.sequence())), failure);
        }
        for (StepResult.Answer answer : result.answers()) {
            Plan plan = Objects.requireNonNull(byId.get(answer.sequence()), answer::toString);
            if (!plan.gone) {
                check(plan, answer);
            }
        }
    }

    private void fail(Plan plan, StepResult.Failure failure) {
        assertThat(plan.tokens.stream().anyMatch(oracle::fails))
                .as("%s of %s", failure, plan.tokens)
                .isTrue();
        if (!plan.gone) {
            failed++;
            forget(plan);
        }
    }

    private void check(Plan plan, StepResult.Answer answer) {
        switch (answer) {
            case StepResult.Token token -> checkToken(plan, token);
            case StepResult.Row row ->
                assertThat(row.values()).isEqualTo(oracle.logits(plan.tokens.slice(0, row.position() + 1)));
            case StepResult.Hidden hidden ->
                assertThat(hidden.values()).isEqualTo(oracle.hidden(plan.tokens.slice(0, hidden.position() + 1)));
            case StepResult.Mean mean -> {
                int count = Math.min(mean.position() + 1, plan.prompt.promptLength());
                assertThat(mean.values()).isEqualTo(oracle.mean(plan.tokens.slice(0, count)));
                means++;
            }
            case StepResult.Score score -> checkScore(plan, score);
            case StepResult.Deferred deferred -> throw new AssertionError(deferred + ", and there are no guides");
        }
    }

    private void checkScore(Plan plan, StepResult.Score score) {
        int next = score.position() + 1;
        boolean inPrompt = next < plan.prompt.promptLength();
        TokenDraw.Token expected = oracle.score(
                plan.tokens.slice(0, next),
                inPrompt ? plan.tokens.get(next) : -1,
                Math.max(0, plan.prompt.sampling().topLogprobs()));
        assertThat(score.token()).isEqualTo(expected.token());
        assertThat(Float.floatToIntBits(score.logprob())).isEqualTo(Float.floatToIntBits(expected.logprob()));
        assertThat(score.top().stream()
                        .map(top -> new Logprob(top.token(), top.logprob()))
                        .toList())
                .isEqualTo(expected.top());
        scores += inPrompt ? 1 : 0;
    }

    /** The first token is right whatever was drafted; the one after a draft counts only if the draft was right. */
    private void checkToken(Plan plan, StepResult.Token token) {
        assertThat(token.position()).isEqualTo(plan.tokens.size() - 1);
        if (token.position() == plan.planned) {
            int draft = plan.draft;
            plan.draft = NO_DRAFT;
            if (draft != plan.tokens.get(token.position())) {
                draftsRejected++;
                return;
            }
            draftsAccepted++;
            plan.planned++;
        }
        TokenDraw.Token expected = plan.expected.get(plan.drawn());
        assertThat(token.token())
                .as("token %d of %s", plan.drawn(), plan.prompt)
                .isEqualTo(expected.token());
        assertThat(Float.floatToRawIntBits(token.logit())).isEqualTo(Float.floatToRawIntBits(expected.logit()));
        assertThat(Float.floatToRawIntBits(token.logprob())).isEqualTo(Float.floatToRawIntBits(expected.logprob()));
        assertThat(token.top().stream().map(StepResult.Logprob::token).toList())
                .isEqualTo(expected.top().stream().map(top -> top.token()).toList());
        plan.tokens = plan.tokens.append(Ints.of(token.token()));
        if (plan.drawn() == plan.length) {
            finished++;
            forget(plan);
        }
    }
}
