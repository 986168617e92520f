package dev.troupe.kernel.cuda;

import dev.troupe.kernel.AllowedIds;
import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.LogitScaling;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Queries as the kernels read them, and their answers as the kernels write them: the structs of {@code candidates.h}, in words of 4
 * bytes.
 */
final class QueryWords {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final int SPAN = 256;
    private static final int FIRST_QUERY = 4;
    private static final int QUERY = 17;
    private static final int LIST = 4;
    private static final int HEADER = 7;
    private static final int CANDIDATE = 3;

    /** Least candidates that tiles leave to each other. */
    private static final int LEAST_KEPT = 32;

    private final List<CandidateQuery> queries;
    private final int firstId;
    private final int ids;
    private final List<Places> places = new ArrayList<>();
    private final int firstList;
    private int lists;
    private int keep = LEAST_KEPT;
    private int words;
    private int results;

    /** Where parts of a query and of its answer stand, in words; −1 for none. */
    private record Places(int header, int spans, int logitSpans, int candidates, int top, int adjusted, int allowed) {}

    /**
     * @param ids columns of a row, the first of which is {@code firstId}
     * @throws IllegalArgumentException if that is not the first id of a span
     */
    QueryWords(List<CandidateQuery> queries, int firstId, int ids) {
        if (firstId % SPAN != 0) {
            throw new IllegalArgumentException("firstId=%d, expected a multiple of %d".formatted(firstId, SPAN));
        }
        this.queries = queries;
        this.firstId = firstId;
        this.ids = ids;
        this.firstList = FIRST_QUERY + QUERY * queries.size();
        for (CandidateQuery query : queries) {
            lists += (query.limit() > 1 ? 1 : 0) + (query.top() > 0 ? 1 : 0);
            keep = Math.max(keep, Math.max(query.limit(), query.top()));
        }
        keep = Integer.highestOneBit(2 * keep - 1);
        words = firstList + LIST * lists;
        for (CandidateQuery query : queries) {
            places.add(place(query));
        }
    }

    private Places place(CandidateQuery query) {
        int sums = 2 * Math.ceilDiv(ids, SPAN);
        LogitScaling scaling = query.scaling();
        return new Places(
                result(HEADER),
                query.spans() ? result(sums) : -1,
                query.top() >= 0 ? result(sums) : -1,
                query.limit() > 1 ? result(CANDIDATE * query.limit()) : -1,
                query.top() > 0 ? result(CANDIDATE * query.top()) : -1,
                word(scaling.adjusted().size()),
                scaling.allowed() == null ? -1 : word(2 * Math.ceilDiv(ids, Long.SIZE)));
    }

    private int result(int count) {
        results = Math.addExact(results, count);
        return results - count;
    }

    private int word(int count) {
        words = Math.addExact(words, count);
        return words - count;
    }

    int rows() {
        return queries.size();
    }

    /** Lists of several candidates. */
    int lists() {
        return lists;
    }

    /** Candidates that tiles leave to each other, a power of two. */
    int keep() {
        return keep;
    }

    boolean scales() {
        return queries.stream().anyMatch(query -> !query.scaling().changesNothing());
    }

    boolean sumsSpans() {
        return queries.stream().anyMatch(query -> query.spans() || query.top() >= 0);
    }

    /** Most ids that a query adjusts. */
    int mostAdjusted() {
        return queries.stream()
                .mapToInt(query -> query.scaling().adjusted().size() / LogitScaling.WORDS)
                .max()
                .orElse(0);
    }

    long bytes() {
        return 4L * words;
    }

    long resultBytes() {
        return 4L * results;
    }

    void write(MemorySegment to) {
        put(to, 0, rows(), lists, firstList, 0);
        int list = firstList;
        for (int row = 0; row < rows(); row++) {
            CandidateQuery query = queries.get(row);
            Places place = places.get(row);
            write(to, FIRST_QUERY + QUERY * row, query, place);
            if (place.candidates() >= 0) {
                put(to, list, row, 0, query.limit(), place.candidates());
                list += LIST;
            }
            if (place.top() >= 0) {
                put(to, list, row, 1, query.top(), place.top());
                list += LIST;
            }
            write(to, place.adjusted(), query.scaling().adjusted());
            write(to, place.allowed(), query.scaling().allowed());
        }
    }

    private void write(MemorySegment to, int at, CandidateQuery query, Places place) {
        LogitScaling scaling = query.scaling();
        CandidateQuery.Noise noise = query.noise();
        put(
                to,
                at,
                place.header(),
                place.spans(),
                place.logitSpans(),
                query.token() >= firstId && query.token() < firstId + ids ? query.token() - firstId : -1,
                scaling.changesNothing() ? 0 : 1,
                place.adjusted(),
                scaling.adjusted().size() / LogitScaling.WORDS,
                place.allowed(),
                noise == null ? 0 : 1,
                noise == null ? 0 : (int) noise.seed(),
                noise == null ? 0 : (int) (noise.seed() >>> 32),
                noise == null ? 0 : noise.choice(),
                noise == null ? 0 : noise.position(),
                Float.floatToRawIntBits(scaling.temperature()),
                Float.floatToRawIntBits(scaling.repetition()),
                Float.floatToRawIntBits(scaling.frequency()),
                Float.floatToRawIntBits(scaling.presence()));
    }

    private static void write(MemorySegment to, int at, Ints values) {
        for (int i = 0; i < values.size(); i++) {
            to.setAtIndex(INT, at + i, values.get(i));
        }
    }

    private void write(MemorySegment to, int at, @Nullable AllowedIds allowed) {
        for (int i = 0; allowed != null && i < ids; i += Long.SIZE) {
            long word = allowed.word((firstId + i) / Long.SIZE);
            put(to, at + i / Integer.SIZE, (int) word, (int) (word >>> Integer.SIZE));
        }
    }

    private static void put(MemorySegment to, int at, int... values) {
        for (int i = 0; i < values.length; i++) {
            to.setAtIndex(INT, at + i, values[i]);
        }
    }

    /** The answers, in the order of the queries. */
    List<FoundCandidates> read(MemorySegment from) {
        List<FoundCandidates> found = new ArrayList<>(rows());
        for (int row = 0; row < rows(); row++) {
            found.add(read(from, queries.get(row), places.get(row)));
        }
        return found;
    }

    private FoundCandidates read(MemorySegment from, CandidateQuery query, Places place) {
        boolean finite = from.getAtIndex(INT, place.header() + 1) != 0;
        FoundCandidates.Candidates first = FoundCandidates.Candidates.NONE;
        if (finite && query.limit() > 0) {
            first = query.limit() == 1
                    ? candidates(from, place.header() + HEADER - CANDIDATE, 1)
                    : candidates(from, place.candidates(), query.limit());
        }
        return new FoundCandidates(
                from.getAtIndex(INT, place.header()) != 0,
                finite,
                first,
                query.limit() > 1
                        ? from.getAtIndex(INT, place.header() + 2)
                        : first.ids().size(),
                sums(from, place.spans()),
                finite && place.top() >= 0
                        ? candidates(from, place.top(), query.top())
                        : FoundCandidates.Candidates.NONE,
                sums(from, place.logitSpans()),
                from.getAtIndex(FLOAT, place.header() + 3));
    }

    private @Nullable Floats sums(MemorySegment from, int at) {
        return at < 0 ? null : floats(from, at, Math.ceilDiv(ids, SPAN), 2, 1);
    }

    private static FoundCandidates.Candidates candidates(MemorySegment from, int at, int limit) {
        int count = 0;
        while (count < limit && from.getAtIndex(INT, at + CANDIDATE * count) >= 0) {
            count++;
        }
        int[] ids = new int[count];
        for (int i = 0; i < count; i++) {
            ids[i] = from.getAtIndex(INT, at + CANDIDATE * i);
        }
        return new FoundCandidates.Candidates(
                Ints.of(ids), floats(from, at + 1, 1, count, CANDIDATE), floats(from, at + 2, 1, count, CANDIDATE));
    }

    private static Floats floats(MemorySegment from, int at, int rows, int columns, int stride) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = from.getAtIndex(FLOAT, at + stride * i);
        }
        return new Floats(rows, columns, values);
    }
}
