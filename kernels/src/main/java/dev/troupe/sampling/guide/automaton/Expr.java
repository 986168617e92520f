package dev.troupe.sampling.guide.automaton;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A language of byte strings, as an expression; calls of rules make it a context-free one. */
public sealed interface Expr {
    /** Only the empty string. */
    Expr EMPTY = new Sequence(List.of());

    /** One byte of a set. */
    record Bytes(ByteSet set) implements Expr {}

    /** The parts, one after the other. */
    record Sequence(List<Expr> parts) implements Expr {
        public Sequence {
            parts = List.copyOf(parts);
        }
    }

    /** Any one of the options; without options, nothing at all. */
    record Choice(List<Expr> options) implements Expr {
        public Choice {
            options = List.copyOf(options);
        }
    }

    /**
     * A body several times.
     *
     * @param least 0 or more
     * @param most at least {@code least}, or {@link #UNBOUNDED}
     */
    record Repeat(Expr body, int least, int most) implements Expr {
        /** No upper bound. */
        public static final int UNBOUNDED = -1;

        public Repeat {
            if (least < 0 || (most != UNBOUNDED && most < least)) {
                throw new IllegalArgumentException("least=%d, most=%d".formatted(least, most));
            }
        }
    }

    /** What the rule of this index matches. */
    record Call(int rule) implements Expr {}

    /**
     * Members in their order, of which optional ones may be left out, with a separator between any two that are there.
     *
     * @param more what may follow any number of times, separated too; null for nothing
     */
    record Members(List<Member> members, @Nullable Expr more, Expr separator) implements Expr {
        public Members {
            members = List.copyOf(members);
        }
    }

    /** One of {@link Members}. */
    record Member(Expr body, boolean required) {}

    static Expr sequence(Expr... parts) {
        return new Sequence(List.of(parts));
    }

    static Expr choice(Expr... options) {
        return new Choice(List.of(options));
    }

    static Expr optional(Expr body) {
        return new Repeat(body, 0, 1);
    }

    static Expr byteRange(int least, int most) {
        return new Bytes(ByteSet.range(least, most));
    }

    /**
     * The UTF-8 of a text, and nothing else.
     *
     * @throws GuideException if it has half a surrogate pair, which UTF-8 has no form for
     */
    static Expr literal(String text) {
        if (text.codePoints().anyMatch(point -> Character.getType(point) == Character.SURROGATE)) {
            throw new GuideException("the guide has a text with half a surrogate pair, which UTF-8 cannot write");
        }
        List<Expr> parts = new ArrayList<>();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            parts.add(byteRange(b & 255, b & 255));
        }
        return new Sequence(parts);
    }
}
