package dev.troupe.text.template.limit;

/** What one rendering has used of its {@link Limits}. Whoever does work or makes a value asks first. Not thread-safe. */
public final class Budget {
    private static final int CHARACTERS_A_STEP = 16;
    private static final int ELEMENT_CHARACTERS = 16;
    private static final int OBJECT_CHARACTERS = 64;

    private final Limits limits;
    private long steps;
    private long memory;
    private long output;
    private int depth;

    public Budget(Limits limits) {
        this.limits = limits;
    }

    /** One expression, statement or element. */
    public void step() {
        steps(1);
    }

    /** @throws TemplateException.LimitReached if the template takes more steps than it may */
    public void steps(long count) {
        steps = count > limits.steps() - steps ? limits.steps() + 1 : steps + count;
        if (steps > limits.steps()) {
            throw new TemplateException.LimitReached("steps", limits.steps());
        }
    }

    /** Characters that are looked at and not kept. */
    public void look(long characters) {
        steps(characters / CHARACTERS_A_STEP);
    }

    /** Looking for a text of {@code wanted} characters in one of {@code length}, at worst. */
    public void search(long length, long wanted) {
        look(length / CHARACTERS_A_STEP * wanted + length);
    }

    /** Comes before a text of this many characters is made. */
    public void text(long characters) {
        memory = characters > limits.memory() - memory ? limits.memory() + 1 : memory + characters;
        if (memory > limits.memory()) {
            throw new TemplateException.LimitReached("memory", limits.memory());
        }
        look(characters);
    }

    /** Comes before a list of this many elements is made. */
    public void list(long elements) {
        text(elements > limits.memory() ? elements : elements * ELEMENT_CHARACTERS + OBJECT_CHARACTERS);
    }

    /** Comes before text of this many characters goes out. */
    public void output(long characters) {
        output += characters;
        if (output > limits.output()) {
            throw new TemplateException.LimitReached("output", limits.output());
        }
    }

    /** Goes one level deeper; {@link #leave()} comes back. */
    public void enter() {
        step();
        if (depth == limits.depth()) {
            throw new TemplateException.LimitReached("depth", limits.depth());
        }
        depth++;
    }

    public void leave() {
        depth--;
    }
}
