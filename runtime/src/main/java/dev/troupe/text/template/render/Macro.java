package dev.troupe.text.template.render;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.syntax.Expression;
import dev.troupe.text.template.syntax.Statement.Signature;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.HasAttributes;
import dev.troupe.text.template.value.Undefined;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A macro, or the body of a call block: a text that depends on arguments. It sees the variables around it. */
final class Macro implements Callable, HasAttributes {
    private static final String CALLER = "caller";

    private final String name;
    private final Signature signature;
    private final Scope around;
    private final Renderer renderer;

    Macro(String name, Signature signature, Scope around, Renderer renderer) {
        this.name = name;
        this.signature = signature;
        this.around = around;
        this.renderer = renderer;
    }

    @Override
    public @Nullable Object attribute(String attribute) {
        return attribute.equals("name") ? name : null;
    }

    @Override
    public Object call(Arguments arguments) {
        Scope scope = new Scope(around);
        List<String> parameters = signature.parameters();
        Map<String, Object> named = new LinkedHashMap<>(arguments.named());
        Object caller = named.remove(CALLER);
        scope.set(CALLER, caller == null ? Undefined.name(CALLER) : caller);
        for (int i = 0; i < parameters.size(); i++) {
            scope.set(parameters.get(i), argument(i, arguments.positional(), named, scope));
        }
        if (arguments.positional().size() > parameters.size() || !named.isEmpty()) {
            throw new TemplateException.Failed("macro '%s' takes %s, got %d by position and besides %s"
                    .formatted(name, parameters, arguments.positional().size(), named.keySet()));
        }
        return renderer.textOf(signature.body(), scope);
    }

    private Object argument(int index, List<Object> positional, Map<String, Object> named, Scope scope) {
        String parameter = signature.parameters().get(index);
        Object given = named.remove(parameter);
        if (index < positional.size()) {
            if (given != null) {
                throw new TemplateException.Failed("macro '%s' got two values of '%s'".formatted(name, parameter));
            }
            return positional.get(index);
        }
        if (given != null) {
            return given;
        }
        int fallback =
                index - signature.parameters().size() + signature.defaults().size();
        if (fallback < 0) {
            return new Undefined("parameter '%s' was not provided".formatted(parameter));
        }
        Expression value = signature.defaults().get(fallback);
        return renderer.value(value, scope);
    }
}
