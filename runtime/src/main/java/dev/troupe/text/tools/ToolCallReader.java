package dev.troupe.text.tools;

import dev.troupe.text.StopMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds the calls in what a model writes: a fold over its characters, so that the outcome does not depend on where the pieces end.
 * Text that may become a call is held back until it is one, or is none and was text all the time. White space around calls
 * belongs to them.
 */
public final class ToolCallReader {
    private enum Place {
        TEXT,
        /** After a marker, or between two calls of an array. */
        OPENED,
        CALL,
        AFTER_CALL,
        /** After the only call that there may be. */
        OVER
    }

    private final ToolFormat format;
    private final Set<String> names;
    private final boolean several;
    private final List<ToolEvent> events = new ArrayList<>();
    private final StringBuilder white = new StringBuilder();
    /** What may become a call and is none yet. */
    private final StringBuilder held = new StringBuilder();

    private Place place = Place.TEXT;
    private StopMatcher marker;
    private @Nullable CallObject call;
    private boolean begun;
    private boolean bare;
    private boolean array;
    private int calls;

    /**
     * @param names of the functions there are: a call without a marker must name one of them
     * @param several whether there may be more than one call; what follows the only one is left out
     * @param opened whether the prompt has ended with what begins calls
     */
    public ToolCallReader(ToolFormat format, Set<String> names, boolean several, boolean opened) {
        this.format = format;
        this.names = Set.copyOf(names);
        this.several = several;
        this.marker = new StopMatcher(List.of(format.marker()));
        if (opened) {
            place = Place.OPENED;
        }
    }

    /** Calls that have begun. */
    public int calls() {
        return calls;
    }

    /** Takes the next piece of the text, and gives what is settled by it. */
    public List<ToolEvent> append(String piece) {
        for (int i = 0; i < piece.length(); i++) {
            take(piece.charAt(i));
        }
        return drain();
    }

    /**
     * Ends the text.
     *
     * @param cut whether there would have been more: then what looks like the beginning of a call is left out, and else it is
     *     text
     */
    public List<ToolEvent> finish(boolean cut) {
        if (place == Place.TEXT) {
            held.append(marker.finish());
        }
        boolean leftOut = (cut && !held.isEmpty()) || place == Place.AFTER_CALL;
        if (!leftOut) {
            content(held);
        }
        if (!leftOut && calls == 0 && !white.isEmpty()) {
            add(new ToolEvent.Content(white.toString()));
        }
        return drain();
    }

    private List<ToolEvent> drain() {
        List<ToolEvent> settled = List.copyOf(events);
        events.clear();
        return settled;
    }

    private void take(char c) {
        switch (place) {
            case TEXT -> text(c);
            case OPENED -> opened(c);
            case CALL -> inCall(c);
            case AFTER_CALL -> afterCall(c);
            case OVER -> {}
        }
    }

    private void text(char c) {
        String free = marker.append(String.valueOf(c));
        if (marker.matched().isPresent()) {
            marker = new StopMatcher(List.of(format.marker()));
            held.append(format.marker());
            bare = false;
            place = Place.OPENED;
        } else if (format.isBare() && !begun && free.equals("{")) {
            openCall(c, true);
        } else {
            content(free);
        }
    }

    private void opened(char c) {
        if (c == '{') {
            openCall(c, false);
        } else if (c == '[' && format.isArray() && !array) {
            array = true;
            held.append(c);
        } else if (Character.isWhitespace(c)) {
            held.append(c);
        } else {
            noCall(c);
        }
    }

    private void openCall(char c, boolean withoutMarker) {
        bare = withoutMarker;
        call = new CallObject(withoutMarker ? names : null);
        place = Place.CALL;
        inCall(c);
    }

    private void inCall(char c) {
        CallObject object = call;
        if (object == null) {
            throw new IllegalStateException("no call has been opened");
        }
        boolean known = object.isCall();
        object.take(c);
        if (object.isNoCall()) {
            noCall(c);
            return;
        }
        if (!object.isCall()) {
            held.append(c);
            return;
        }
        if (!known) {
            held.setLength(0);
            white.setLength(0);
            add(new ToolEvent.Call(calls++, object.name()));
        }
        String arguments = object.takeArguments();
        if (!arguments.isEmpty()) {
            add(new ToolEvent.Arguments(calls - 1, arguments));
        }
        if (object.isClosed()) {
            place = several ? Place.AFTER_CALL : Place.OVER;
        }
    }

    private void afterCall(char c) {
        held.append(c);
        if (array) {
            switch (c) {
                case ',' -> place = Place.OPENED;
                case ']' -> closeArray();
                default -> goOnUnless(Character.isWhitespace(c));
            }
        } else if (format.hasEnd() && !bare) {
            String end = held.toString().stripLeading();
            if (end.equals(ToolFormat.END)) {
                held.setLength(0);
                place = Place.TEXT;
            } else {
                goOnUnless(ToolFormat.END.startsWith(end));
            }
        } else if (c == '{' && format.isBare()) {
            held.setLength(held.length() - 1);
            openCall(c, true);
        } else {
            goOnUnless(Character.isWhitespace(c) || c == ';' || c == ',');
        }
    }

    private void closeArray() {
        array = false;
        held.setLength(0);
        place = Place.TEXT;
    }

    /** What was held back is text. */
    private void noCall(char next) {
        array = false;
        place = Place.TEXT;
        content(held);
        held.setLength(0);
        take(next);
    }

    /** What was held back after a call does not belong to it, unless it may still. */
    private void goOnUnless(boolean may) {
        if (may) {
            return;
        }
        String rest = held.toString();
        held.setLength(0);
        array = false;
        place = Place.TEXT;
        for (int i = 0; i < rest.length(); i++) {
            take(rest.charAt(i));
        }
    }

    private void content(CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            white.append(text.charAt(i));
            if (!Character.isWhitespace(text.charAt(i))) {
                begun = true;
                add(new ToolEvent.Content(white.toString()));
                white.setLength(0);
            }
        }
    }

    /** Adds an event, or makes the one before longer. */
    private void add(ToolEvent event) {
        ToolEvent last = events.isEmpty() ? null : events.getLast();
        if (last instanceof ToolEvent.Content before && event instanceof ToolEvent.Content more) {
            events.set(events.size() - 1, new ToolEvent.Content(before.text() + more.text()));
        } else if (last instanceof ToolEvent.Arguments before && event instanceof ToolEvent.Arguments more) {
            events.set(events.size() - 1, new ToolEvent.Arguments(before.index(), before.text() + more.text()));
        } else {
            events.add(event);
        }
    }
}
