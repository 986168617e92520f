package dev.troupe.samples.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.function.Function;
import org.assertj.core.api.ListAssert;
import org.junit.jupiter.api.Test;

/** Each rule is seen to fail, on a package of its own that breaks it. */
class ArchitectureRulesTest {
    @Test
    void aKernelThatUsesTheCommandLineBreaksTheLayers() {
        violations("layers", ArchitectureRules::layers)
                .singleElement()
                .asString()
                .contains("tensor.KernelWithACommand", "cli.LayersCommand");
    }

    @Test
    void aClassInNoLayerBreaksTheLayers() {
        violations("outside", ArchitectureRules::layers)
                .singleElement()
                .asString()
                .contains("nowhere.Stray", "is not contained in architecture");
    }

    @Test
    void twoPackagesThatUseEachOtherAreACycle() {
        violations("cycle", ArchitectureRules::noPackageCycles)
                .singleElement()
                .asString()
                .contains("Cycle detected", "first.First", "second.Second");
    }

    @Test
    void aKernelThatKnowsPekkoIsFound() {
        violations("pekko", ArchitectureRules::kernelsSpeakFloats)
                .anySatisfy(line -> assertThat(line).contains("kernel.KernelThatTells", "ActorRef"));
    }

    @Test
    void anActorThatSpeaksHttpIsFound() {
        violations("http", ArchitectureRules::actorsSpeakTokens)
                .anySatisfy(line -> assertThat(line).contains("serving.StageWithHttp", "java.net.http"));
    }

    @Test
    void anActorThatWaitsIsFoundInEveryWayOfWaiting() {
        violations("waiting", ArchitectureRules::actorsNeverWait)
                .hasSize(5)
                .anySatisfy(line -> assertThat(line).contains("joins()", "CompletableFuture.join()"))
                .anySatisfy(line -> assertThat(line).contains("joinsByReference()", "CompletableFuture.join()"))
                .anySatisfy(line -> assertThat(line).contains("gets()", "Future.get()"))
                .anySatisfy(line -> assertThat(line).contains("getsInTime()", "CompletableFuture.get(long"))
                .anySatisfy(line -> assertThat(line).contains("sleeps()", "Thread.sleep(long)"));
    }

    @Test
    void aClassCalledActorIsFound() {
        violations("naming", ArchitectureRules::noClassIsCalledActor)
                .singleElement()
                .asString()
                .contains("CounterActor");
    }

    @Test
    void aPackageForLeftoversIsFound() {
        violations("leftovers", ArchitectureRules::noPackageForLeftovers)
                .hasSize(5)
                .allSatisfy(line -> assertThat(line).contains("Leftover"));
    }

    @Test
    void aCommandThatIsAClassIsFound() {
        violations("command", ArchitectureRules::commandsAreRecordsOrEnums)
                .singleElement()
                .asString()
                .contains("Teller$Mutable", "is not a record or an enum");
    }

    @Test
    void aPackageWithoutNullMarkedIsFound() {
        violations("unmarked", ArchitectureRules::everyPackageIsNullMarked)
                .noneSatisfy(line -> assertThat(line).contains(".marked."))
                .anySatisfy(line -> assertThat(line).contains("bare.Unmarked"))
                .anySatisfy(line -> assertThat(line).contains("partly.Unmarked"));
    }

    private static ListAssert<String> violations(String name, Function<ArchitectureRules, ArchRule> rule) {
        String base = "dev.troupe.samples.violations." + name;
        var classes = new ClassFileImporter().importPackages(base);
        return assertThat(rule.apply(new ArchitectureRules(base))
                .evaluate(classes)
                .getFailureReport()
                .getDetails());
    }
}
