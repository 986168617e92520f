package dev.troupe.sampling.guide.source;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** A set of Unicode code points, without surrogates, which UTF-8 has no form for. Immutable. */
final class CodePoints {
    static final CodePoints NONE = new CodePoints(List.of());
    static final CodePoints ALL =
            new CodePoints(List.of(new Range(0, 0xd7ff), new Range(0xe000, Character.MAX_CODE_POINT)));
    static final CodePoints DIGITS = range('0', '9');
    static final CodePoints WORD =
            DIGITS.or(range('A', 'Z')).or(range('a', 'z')).or(of('_'));
    static final CodePoints SPACE = of(' ', '\t', '\n', 0x0b, '\f', '\r');
    static final CodePoints LINE_ENDS = of('\n', '\r', 0x2028, 0x2029);

    private final List<Range> ranges;

    /** From {@code least} to {@code most}, both included. */
    record Range(int least, int most) {}

    private CodePoints(List<Range> ranges) {
        this.ranges = List.copyOf(ranges);
    }

    static CodePoints of(int... points) {
        return merged(Arrays.stream(points).mapToObj(p -> new Range(p, p)).toList());
    }

    static CodePoints range(int least, int most) {
        return merged(List.of(new Range(least, most)));
    }

    /** Sorts, joins what touches, and leaves surrogates out. */
    private static CodePoints merged(List<Range> any) {
        List<Range> joined = new ArrayList<>();
        for (Range range :
                any.stream().sorted(Comparator.comparingInt(Range::least)).toList()) {
            int last = joined.size() - 1;
            if (last >= 0 && range.least() <= joined.get(last).most() + 1) {
                Range before = joined.get(last);
                joined.set(last, new Range(before.least(), Math.max(before.most(), range.most())));
            } else {
                joined.add(range);
            }
        }
        List<Range> kept = new ArrayList<>();
        for (Range range : joined) {
            add(kept, range.least(), Math.min(range.most(), 0xd7ff));
            add(kept, Math.max(range.least(), 0xe000), range.most());
        }
        return new CodePoints(kept);
    }

    private static void add(List<Range> ranges, int least, int most) {
        if (least <= most) {
            ranges.add(new Range(least, most));
        }
    }

    static CodePoints union(List<CodePoints> sets) {
        return merged(sets.stream().flatMap(set -> set.ranges.stream()).toList());
    }

    CodePoints or(CodePoints that) {
        return union(List.of(this, that));
    }

    CodePoints not() {
        List<Range> gaps = new ArrayList<>();
        int next = 0;
        for (Range range : ranges) {
            add(gaps, next, range.least() - 1);
            next = range.most() + 1;
        }
        add(gaps, next, Character.MAX_CODE_POINT);
        return merged(gaps);
    }

    CodePoints and(CodePoints that) {
        return not().or(that.not()).not();
    }

    CodePoints without(CodePoints that) {
        return and(that.not());
    }

    boolean contains(int point) {
        return ranges.stream().anyMatch(range -> range.least() <= point && point <= range.most());
    }

    /** Ascending, apart from each other. */
    List<Range> ranges() {
        return ranges;
    }
}
