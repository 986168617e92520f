package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.jspecify.annotations.Nullable;

/**
 * The generations that a scheduler works for, in the order of their arrival: takes them in, tells them what steps gave,
 * and lets go of them. Part of the scheduler's actor.
 */
final class Clients {
    /** One generation and its sequences that have not ended. */
    private record Client(Submission submission, ActorRef<Scheduler.Update> replyTo, List<Sequence> sequences) {
        GenerationId id() {
            return submission.id();
        }
    }

    /** Losses in a row that a request is to blame for; alone at the second, because the first has made it a suspect. */
    private static final int POISONOUS = 2;

    /** Lost connections in a row between nodes that live: no request is to blame for them. */
    private static final int MOST_LINKS = 10;

    /** Losses in a row of whatever other kind. */
    private static final int MOST_STALLS = 3;

    private final ActorContext<Scheduler.Command> context;
    private final SchedulerSettings settings;
    private final LinkedHashMap<GenerationId, Client> clients = new LinkedHashMap<>();
    private long sequenceIds;
    private @Nullable EpochSteps steps;

    Clients(ActorContext<Scheduler.Command> context, SchedulerSettings settings) {
        this.context = context;
        this.settings = settings;
    }

    int size() {
        return clients.size();
    }

    /** From now on these steps compute what is here and what comes; what they can never compute ends. */
    void serveBy(EpochSteps fresh) {
        steps = fresh;
        List.copyOf(clients.values()).forEach(client -> admit(fresh, client));
    }

    /**
     * The epoch is lost: all wait for the next, but for what has now been lost too often.
     *
     * @param loss what is known of it: a stall may be a link's fault
     */
    void lose(String reason, Loss loss) {
        steps = null;
        clients.values().forEach(client -> client.sequences().forEach(sequence -> sequence.lose(loss)));
        judge(reason);
    }

    /**
     * It is known now whether the node behind the link that was lost last has died.
     *
     * @param reason why the epoch was lost
     */
    void explain(boolean died, String reason) {
        clients.values().forEach(client -> client.sequences().forEach(sequence -> sequence.explain(died)));
        judge(reason);
    }

    /** Ends what has now been lost too often. */
    private void judge(String reason) {
        for (Client client : List.copyOf(clients.values())) {
            int losses =
                    client.sequences().stream().mapToInt(Sequence::losses).max().orElse(0);
            int stalls =
                    client.sequences().stream().mapToInt(Sequence::stalls).max().orElse(0);
            int links =
                    client.sequences().stream().mapToInt(Sequence::links).max().orElse(0);
            if (links > MOST_LINKS) {
                fail(
                        client,
                        new GenerationFailure(
                                GenerationFailure.Kind.LOST,
                                "%d times in a row a connection between its ranks was lost, although their nodes live: %s"
                                        .formatted(links, reason)));
            } else if (losses >= POISONOUS) {
                fail(client, new GenerationFailure(GenerationFailure.Kind.POISON, poison(client, losses, reason)));
            } else if (losses + stalls > MOST_STALLS) {
                fail(
                        client,
                        new GenerationFailure(GenerationFailure.Kind.POISON, poison(client, losses + stalls, reason)));
            }
        }
    }

    /** The epoch is left, and nobody is to blame: all wait for the next. */
    void pause() {
        steps = null;
        clients.values().forEach(client -> client.sequences().forEach(Sequence::pause));
    }

    private static String poison(Client client, int losses, String reason) {
        return ("%d times in a row something was lost while this request was being computed, the last time alone and without"
                        + " gaining a token since (prompt of %d tokens), so it is not tried again: %s")
                .formatted(losses, client.submission().prompt().size(), reason);
    }

    /** Nothing can be computed now: ends all. */
    void failAll(String reason) {
        List.copyOf(clients.values())
                .forEach(client -> fail(client, new GenerationFailure(GenerationFailure.Kind.NO_CAPACITY, reason)));
    }

    /** Gives all of them back: another scheduler may compute them. */
    void releaseAll(long successor, String reason) {
        for (Client client : List.copyOf(clients.values())) {
            end(client);
            client.replyTo().tell(new Scheduler.Released(client.id(), successor, reason));
        }
    }

    private void fail(Client client, GenerationFailure failure) {
        end(client);
        client.replyTo().tell(new Scheduler.Failed(client.id(), failure));
    }

    private void end(Client client) {
        EpochSteps current = steps;
        if (current != null) {
            client.sequences().forEach(current.planner()::remove);
        }
        clients.remove(client.id());
        if (clients.values().stream().noneMatch(other -> other.replyTo().equals(client.replyTo()))) {
            context.unwatch(client.replyTo());
        }
    }

    /** Takes a generation in; one that is here already is left as it is. */
    void submit(Submission submission, ActorRef<Scheduler.Update> replyTo) {
        GenerationId id = submission.id();
        if (!clients.containsKey(id)) {
            if (clients.size() >= settings.maxGenerations()) {
                String reason =
                        "%d generations run or wait, which is the limit; try again later".formatted(clients.size());
                refuse(id, replyTo, GenerationFailure.Kind.OVERLOADED, reason);
                return;
            }
            Client client = new Client(submission, replyTo, sequences(submission));
            clients.put(id, client);
            context.watchWith(replyTo, new Scheduler.Gone(replyTo));
            if (steps != null && !admit(steps, client)) {
                return;
            }
        }
        replyTo.tell(new Scheduler.Accepted(id, context.getSelf()));
    }

    private List<Sequence> sequences(Submission submission) {
        List<Sequence> sequences = new ArrayList<>();
        for (Submission.Choice choice : submission.choices()) {
            sequences.add(new Sequence(++sequenceIds, submission, choice));
        }
        return sequences;
    }

    /** For a sequence that is nobody's. */
    long nextSequenceId() {
        return ++sequenceIds;
    }

    private boolean admit(EpochSteps current, Client client) {
        Optional<String> refusal = current.refusal(client.submission());
        refusal.ifPresentOrElse(
                reason -> fail(client, new GenerationFailure(GenerationFailure.Kind.INVALID, reason)),
                () -> client.sequences().forEach(current.planner()::add));
        return refusal.isEmpty();
    }

    private static void refuse(
            GenerationId id, ActorRef<Scheduler.Update> replyTo, GenerationFailure.Kind kind, String reason) {
        replyTo.tell(new Scheduler.Failed(id, new GenerationFailure(kind, reason)));
    }

    /** Says whether a generation is here. */
    void probe(GenerationId id, ActorRef<Scheduler.Update> replyTo) {
        if (clients.containsKey(id)) {
            replyTo.tell(new Scheduler.Accepted(id, context.getSelf()));
            return;
        }
        String reason = "the scheduler of model %s does not know it: it has been started anew since"
                .formatted(settings.model());
        replyTo.tell(new Scheduler.Released(id, 0, reason));
    }

    /** Lets go of a generation. */
    void cancel(GenerationId id) {
        Client client = clients.get(id);
        if (client != null) {
            end(client);
        }
    }

    /** Lets go of all generations of one that has ended. */
    void cancel(ActorRef<Scheduler.Update> replyTo) {
        List.copyOf(clients.values()).stream()
                .filter(client -> client.replyTo().equals(replyTo))
                .forEach(this::end);
    }

    /** Lets go of one choice. */
    void endChoice(GenerationId id, int choice) {
        Client client = clients.get(id);
        if (client == null) {
            return;
        }
        List<Sequence> ended = client.sequences().stream()
                .filter(sequence -> sequence.choice() == choice)
                .toList();
        EpochSteps current = steps;
        if (current != null) {
            ended.forEach(current.planner()::remove);
        }
        client.sequences().removeAll(ended);
        if (client.sequences().isEmpty()) {
            end(client);
        }
    }

    /** Tells every generation in one message what steps gave it; lets go of those that have ended. */
    void deliver(Epoch epoch, List<StepPlanner.Progress> progress) {
        Set<GenerationId> touched = new LinkedHashSet<>();
        progress.forEach(part -> touched.add(part.sequence().submission().id()));
        for (GenerationId id : touched) {
            Client client = clients.get(id);
            if (client != null) {
                List<StepPlanner.Progress> own = progress.stream()
                        .filter(part -> part.sequence().submission().id().equals(id))
                        .toList();
                deliver(epoch, client, own);
            }
        }
    }

    private void deliver(Epoch epoch, Client client, List<StepPlanner.Progress> progress) {
        List<Output> outputs = new ArrayList<>();
        @Nullable GenerationFailure failure = null;
        for (StepPlanner.Progress part : progress) {
            part.answers()
                    .forEach(answer -> outputs.add(Output.of(part.sequence().choice(), answer)));
            if (part.sequence().isFinished()) {
                client.sequences().remove(part.sequence());
            }
            failure = part.failure() != null ? part.failure() : failure;
        }
        if (!outputs.isEmpty()) {
            int cached = progress.stream()
                    .mapToInt(part -> part.sequence().cachedTokens())
                    .min()
                    .orElse(0);
            client.replyTo().tell(new Scheduler.Advanced(client.id(), epoch, outputs, cached));
        }
        if (failure != null) {
            fail(client, failure);
        } else if (client.sequences().isEmpty()) {
            end(client);
        }
    }
}
