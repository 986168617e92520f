package dev.troupe.stage;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** How far the ranks of one stage in one epoch are: who is there, who has loaded, who knows its peers. */
final class StageFormation {
    private final PipelineStage.Form form;
    private final List<@Nullable Peer> present = new ArrayList<>();
    private final BitSet prepared = new BitSet();
    private final BitSet joined = new BitSet();
    private TensorShard.@Nullable Join join;

    StageFormation(PipelineStage.Form form) {
        this.form = form;
        int ranks = form.plan().partition().stages().get(form.stage()).ranks().size();
        for (int rank = 0; rank < ranks; rank++) {
            present.add(null);
        }
    }

    PipelineStage.Form form() {
        return form;
    }

    int ranks() {
        return present.size();
    }

    ShardId id(int rank) {
        return new ShardId(form.epoch(), form.stage(), rank);
    }

    /** Whether {@code id} is one of these ranks. */
    boolean has(ShardId id) {
        return id.epoch().equals(form.epoch()) && id.stage() == form.stage() && id.rank() >= 0 && id.rank() < ranks();
    }

    /** Where a rank is, if it has answered. */
    @Nullable
    Peer peer(int rank) {
        return present.get(rank);
    }

    /** A rank is there; false if that was known. */
    boolean notePresent(Peer peer) {
        return present.set(peer.id().rank(), peer) == null;
    }

    /** A rank has loaded; true when it was the last. */
    boolean notePrepared(ShardId id) {
        boolean before = prepared.get(id.rank());
        prepared.set(id.rank());
        return !before && prepared.cardinality() == ranks();
    }

    /** Whether a rank has loaded. */
    boolean isPrepared(int rank) {
        return prepared.get(rank);
    }

    /** The ranks may be told of each other, in this way; false if they are not loaded yet, or were told. */
    boolean noteConnected(Function<List<Peer>, TensorShard.Join> how) {
        if (join != null || prepared.cardinality() < ranks()) {
            return false;
        }
        join = how.apply(peers());
        return true;
    }

    /** What ranks are told of each other; null before that. */
    TensorShard.@Nullable Join join() {
        return join;
    }

    /** Whether a rank knows its peers. */
    boolean isJoined(int rank) {
        return joined.get(rank);
    }

    /** A rank knows its peers; true when it was the last. */
    boolean noteJoined(ShardId id) {
        boolean before = joined.get(id.rank());
        joined.set(id.rank());
        return !before && joined.cardinality() == ranks();
    }

    /** All ranks, when all are there. */
    List<Peer> peers() {
        List<Peer> all = new ArrayList<>();
        for (Peer peer : present) {
            if (peer == null) {
                throw new IllegalStateException("not all ranks are there");
            }
            all.add(peer);
        }
        return all;
    }

    /** Whether ranks still owe the answer that was asked for last. */
    boolean waits() {
        return !missing().isEmpty();
    }

    /** The ranks that owe an answer, for people. */
    String silent() {
        return missing().stream()
                .map(rank -> form.plan().describe(form.stage(), rank))
                .collect(Collectors.joining(" and "));
    }

    private List<Integer> missing() {
        return IntStream.range(0, ranks())
                .filter(rank -> join != null ? !joined.get(rank) : present.get(rank) == null)
                .boxed()
                .toList();
    }

    /** The first rank that owes an answer. */
    int firstSilent() {
        return missing().getFirst();
    }
}
