package dev.troupe.sampling.guide;

import dev.troupe.sampling.guide.automaton.Automaton;
import dev.troupe.sampling.guide.automaton.ByteSet;
import dev.troupe.sampling.guide.automaton.CallsNeeded;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An automaton run byte by byte, all readings of the text at once; what a state leads to is worked out when it is first
 * asked for, and remembered. Every reading that is kept can reach an end, so no state is a dead end. Owned by one thread.
 */
final class ByteMachine {
    /** More readings of one text are not followed: the first ones are enough to end it. */
    static final int MOST_READINGS = 256;

    static final int MOST_STATES = 4_096;

    private final Automaton automaton;
    private final CallsNeeded needed;
    private final CallsNeeded neededByTokens;
    private final int mostStates;
    private final Map<GuideState, GuideState> known = new HashMap<>();
    private final GuideState start;

    /** @param singleBytes byte values that are a token by themselves */
    ByteMachine(Automaton automaton, ByteSet singleBytes, int mostStates) {
        this.automaton = automaton;
        this.needed = CallsNeeded.of(automaton, ByteSet.range(0, 255));
        this.neededByTokens = CallsNeeded.of(automaton, singleBytes);
        this.mostStates = mostStates;
        Closure closure = new Closure();
        closure.add(automaton.start(), null);
        this.start = closure.state();
    }

    GuideState start() {
        return start;
    }

    /** The state after one more byte, 0 to 255; null if none of the guide's texts has it here. */
    @Nullable
    GuideState step(GuideState from, int value) {
        if (from.readings().isEmpty()) {
            return null;
        }
        int byteClass = automaton.classOf(value);
        GuideState next = from.next(byteClass);
        if (next == null) {
            next = find(from, byteClass);
            from.remember(byteClass, automaton.classes(), next);
        }
        return next.isDead() ? null : next;
    }

    private GuideState find(GuideState from, int byteClass) {
        Closure closure = new Closure();
        for (GuideState.Reading reading : from.readings()) {
            int next = automaton.next(reading.state(), byteClass);
            if (next != Automaton.NO_STATE) {
                closure.add(next, reading.calls());
            }
        }
        return closure.kept.isEmpty() && !closure.accepts ? GuideState.DEAD : named(closure.state());
    }

    private GuideState named(GuideState state) {
        GuideState same = known.get(state);
        if (same != null) {
            return same;
        }
        if (known.size() >= mostStates) {
            known.keySet().forEach(GuideState::forgetNext);
            start.forgetNext();
            known.clear();
        }
        known.put(state, state);
        return state;
    }

    /** Readings, and all that follow from them without a byte: calls that begin and end. */
    private final class Closure {
        private final Set<GuideState.Reading> found = new HashSet<>();
        private final List<GuideState.Reading> kept = new ArrayList<>();
        private boolean accepts;
        private boolean rests;

        void add(int state, @Nullable OpenCall calls) {
            int open = OpenCall.open(calls);
            GuideState.Reading reading = new GuideState.Reading(state, calls);
            if (isFull() || !needed.within(state, open) || !found.add(reading)) {
                return;
            }
            if (needed.byByte(state, open)) {
                kept.add(reading);
                rests |= rests(reading);
            }
            if (automaton.accepts(state)) {
                if (calls == null) {
                    accepts = true;
                    rests = true;
                } else {
                    add(calls.after(), calls.below());
                }
            }
            for (int call = 0; call < automaton.calls(state); call++) {
                call(state, call, calls);
            }
        }

        private void call(int state, int call, @Nullable OpenCall calls) {
            int start = automaton.called(state, call);
            if (start == Automaton.NO_STATE) {
                return;
            }
            if (automaton.isLast(state, call)) {
                add(start, calls);
                return;
            }
            int after = automaton.after(state, call);
            int open = OpenCall.open(calls);
            if (needed.within(after, open)) {
                boolean ends = OpenCall.rests(calls) && neededByTokens.within(after, open);
                add(start, new OpenCall(calls, after, ends));
            }
        }

        private boolean isFull() {
            return kept.size() >= (rests ? MOST_READINGS : 8 * MOST_READINGS);
        }

        private boolean rests(GuideState.Reading reading) {
            return OpenCall.rests(reading.calls())
                    && neededByTokens.byByte(reading.state(), OpenCall.open(reading.calls()));
        }

        GuideState state() {
            if (kept.size() <= MOST_READINGS) {
                return new GuideState(List.copyOf(kept), accepts, rests);
            }
            List<GuideState.Reading> first = new ArrayList<>();
            kept.stream().filter(this::rests).forEach(first::add);
            kept.stream().filter(reading -> !rests(reading)).forEach(first::add);
            return new GuideState(List.copyOf(first.subList(0, MOST_READINGS)), accepts, rests);
        }
    }
}
