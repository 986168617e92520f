package dev.troupe.samples.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.NullMarked;

/**
 * The rules of the architecture for a base package: {@code dev.troupe} for the code itself, a package of violations for
 * the tests that see each rule fail.
 *
 * <p>A new top-level package belongs to exactly one of the lists below; a class outside of them breaks {@link #layers()}.
 */
final class ArchitectureRules {
    static final List<String> KERNELS = List.of("tensor", "kernel", "weights", "kvstore", "model", "sampling");
    static final List<String> ACTORS = List.of("wire", "stage", "kvcache", "serving", "generation", "plan", "cluster");
    static final List<String> RUNTIME =
            List.of("config", "text", "http", "openai", "load", "client", "chaos", "node", "bench", "cli", "report");
    static final List<String> SAMPLES = List.of("samples");

    private final String base;

    ArchitectureRules(String base) {
        this.base = base;
    }

    /** samples use runtime, runtime uses actors, actors use kernels: never back, and nothing stands outside. */
    ArchRule layers() {
        return layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .withOptionalLayers(true)
                .layer("kernels")
                .definedBy(packages(KERNELS))
                .layer("actors")
                .definedBy(packages(ACTORS))
                .layer("runtime")
                .definedBy(packages(RUNTIME))
                .layer("samples")
                .definedBy(packages(SAMPLES))
                .whereLayer("kernels")
                .mayNotAccessAnyLayer()
                .whereLayer("actors")
                .mayOnlyAccessLayers("kernels")
                .whereLayer("runtime")
                .mayOnlyAccessLayers("actors", "kernels")
                .ensureAllClassesAreContainedInArchitecture();
    }

    ArchRule noPackageCycles() {
        return slices().matching(base + ".(*)..").should().beFreeOfCycles().allowEmptyShould(true);
    }

    ArchRule kernelsSpeakFloats() {
        return noClasses()
                .that()
                .resideInAnyPackage(packages(KERNELS))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.apache.pekko..", "scala..", "java.net.http..", "com.sun.net.httpserver..")
                .allowEmptyShould(true);
    }

    ArchRule actorsSpeakTokens() {
        return noClasses()
                .that()
                .resideInAnyPackage(packages(ACTORS))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "org.apache.pekko.http..",
                        "java.net.http..",
                        "com.sun.net.httpserver..",
                        "ai.djl..",
                        "picocli..",
                        "org.jline..")
                .allowEmptyShould(true);
    }

    ArchRule actorsNeverWait() {
        return noClasses()
                .that()
                .resideInAnyPackage(packages(ACTORS))
                .should()
                .accessTargetWhere(WAITS)
                .because("an actor that waits keeps its thread from all others; pipe the result to self instead")
                .allowEmptyShould(true);
    }

    ArchRule noClassIsCalledActor() {
        return noClasses()
                .should()
                .haveSimpleNameEndingWith("Actor")
                .because("what an actor is for names it")
                .allowEmptyShould(true);
    }

    ArchRule noPackageForLeftovers() {
        return noClasses()
                .should()
                .resideInAnyPackage("..util..", "..common..", "..impl..", "..manager..", "..helper..")
                .because("a package is called after what its classes are about")
                .allowEmptyShould(true);
    }

    ArchRule commandsAreRecordsOrEnums() {
        return classes()
                .that()
                .areAssignableTo(NESTED_COMMAND)
                .and()
                .areNotInterfaces()
                .should(BE_A_RECORD_OR_AN_ENUM)
                .allowEmptyShould(true);
    }

    /** NullAway looks only at packages that are marked, so a package without the mark is not checked at all. */
    ArchRule everyPackageIsNullMarked() {
        return classes().should(BE_IN_A_NULL_MARKED_PACKAGE).allowEmptyShould(true);
    }

    private String[] packages(List<String> names) {
        return names.stream().map(name -> base + "." + name + "..").toArray(String[]::new);
    }

    private static final Set<String> WAITING_METHODS = Set.of("get", "join", "resultNow", "exceptionNow");

    private static final DescribedPredicate<JavaAccess<?>> WAITS =
            DescribedPredicate.describe("a method waits (get or join of a future, Await, sleep)", access -> {
                JavaClass owner = access.getTargetOwner();
                String method = access.getName();
                return switch (method) {
                    case "sleep" -> owner.isEquivalentTo(Thread.class) || owner.isEquivalentTo(TimeUnit.class);
                    case "ready", "result" -> owner.getName().startsWith("scala.concurrent.Await");
                    default ->
                        WAITING_METHODS.contains(method)
                                && (owner.isAssignableTo(Future.class) || owner.isAssignableTo(CompletionStage.class));
                };
            });

    private static final DescribedPredicate<JavaClass> NESTED_COMMAND = assignableTo(
                    simpleName("Command").and(JavaClass.Predicates.INTERFACES).and(nested()))
            .as("a command of an actor");

    private static DescribedPredicate<JavaClass> nested() {
        return DescribedPredicate.describe("nested", JavaClass::isNestedClass);
    }

    private static final ArchCondition<JavaClass> BE_A_RECORD_OR_AN_ENUM =
            new ArchCondition<>("be a record or an enum") {
                @Override
                public void check(JavaClass item, ConditionEvents events) {
                    boolean satisfied = item.isRecord() || item.isEnum();
                    events.add(new SimpleConditionEvent(
                            item,
                            satisfied,
                            item.getFullName() + (satisfied ? " is" : " is not") + " a record or an enum"));
                }
            };

    private static final ArchCondition<JavaClass> BE_IN_A_NULL_MARKED_PACKAGE =
            new ArchCondition<>("be in a package marked @NullMarked") {
                @Override
                public void check(JavaClass item, ConditionEvents events) {
                    boolean satisfied = item.getPackage()
                            .tryGetPackageInfo()
                            .map(info -> info.isAnnotatedWith(NullMarked.class))
                            .orElse(false);
                    events.add(new SimpleConditionEvent(
                            item,
                            satisfied,
                            item.getFullName() + (satisfied ? " is" : " is not")
                                    + " in a package whose package-info is @NullMarked"));
                }
            };
}
