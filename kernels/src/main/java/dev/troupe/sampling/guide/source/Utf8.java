package dev.troupe.sampling.guide.source;

import dev.troupe.sampling.guide.automaton.ByteSet;
import dev.troupe.sampling.guide.automaton.Expr;
import java.util.ArrayList;
import java.util.List;

/** Sets of code points as the byte sequences of their UTF-8 (RFC 3629, section 4). */
final class Utf8 {
    private static final int[] LAST_OF_LENGTH = {0x7f, 0x7ff, 0xffff, 0x10ffff};

    private Utf8() {}

    /** One code point of a set. */
    static Expr oneOf(CodePoints set) {
        List<Expr> options = new ArrayList<>();
        ByteSet single = new ByteSet(0, 0, 0, 0);
        for (CodePoints.Range range : set.ranges()) {
            int from = range.least();
            for (int length = 1; length <= 4; length++) {
                int to = Math.min(range.most(), LAST_OF_LENGTH[length - 1]);
                if (from > to) {
                    continue;
                }
                if (length == 1) {
                    single = single.or(ByteSet.range(from, to));
                } else {
                    split(from, to, length, options);
                }
                from = to + 1;
            }
        }
        if (!single.equals(new ByteSet(0, 0, 0, 0))) {
            options.addFirst(new Expr.Bytes(single));
        }
        return new Expr.Choice(options);
    }

    /** Cuts a range until each piece is one range in every byte. */
    private static void split(int from, int to, int length, List<Expr> pieces) {
        for (int tail = 1; tail < length; tail++) {
            int low = (1 << (6 * tail)) - 1;
            if ((from & ~low) == (to & ~low)) {
                continue;
            }
            if ((from & low) != 0) {
                split(from, from | low, length, pieces);
                split((from | low) + 1, to, length, pieces);
                return;
            }
            if ((to & low) != low) {
                split(from, (to & ~low) - 1, length, pieces);
                split(to & ~low, to, length, pieces);
                return;
            }
        }
        List<Expr> bytes = new ArrayList<>();
        for (int i = 0; i < length; i++) {
            bytes.add(Expr.byteRange(unit(from, length, i), unit(to, length, i)));
        }
        pieces.add(new Expr.Sequence(bytes));
    }

    /** Byte {@code index} of a code point's {@code length} bytes. */
    private static int unit(int point, int length, int index) {
        int bits = point >>> (6 * (length - 1 - index));
        return index == 0 ? bits | (0xf00 >>> length & 0xff) : 0x80 | (bits & 0x3f);
    }
}
