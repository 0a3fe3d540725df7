import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;

/** Flights and minutes of each carrier, in Java: it writes CSV, which becomes Parquet when it is published. */
public final class Totals {
    public static void main(String[] arguments) throws IOException {
        Map<String, long[]> totals = new TreeMap<>();
        for (Path file : files(Path.of(System.getenv("TEAMSPARK_INPUT_DELAYS")))) {
            add(totals, file);
        }
        Path out = Path.of(System.getenv("TEAMSPARK_OUTPUT_DEFAULT"), "totals.csv");
        // No PrintWriter: it keeps quiet of a disk that is full, and half of the totals would be published.
        try (BufferedWriter writer = Files.newBufferedWriter(out)) {
            writer.write("carrier,flights,minutes\n");
            for (var total : totals.entrySet()) {
                writer.write(quoted(total.getKey()) + "," + total.getValue()[0] + "," + total.getValue()[1] + "\n");
            }
        }
    }

    private static String quoted(String text) {
        return '"' + text.replace("\"", "\"\"") + '"';
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> found = Files.walk(folder)) {
            return found.filter(path -> path.toString().endsWith(".parquet")).toList();
        }
    }

    private static void add(Map<String, long[]> totals, Path file) throws IOException {
        var path = new org.apache.hadoop.fs.Path(file.toUri());
        try (ParquetReader<Group> reader =
                ParquetReader.builder(new GroupReadSupport(), path).withConf(new Configuration(false)).build()) {
            for (Group row = reader.read(); row != null; row = reader.read()) {
                long[] sums = totals.computeIfAbsent(row.getString("carrier", 0), carrier -> new long[2]);
                sums[0] += row.getLong("flights", 0);
                sums[1] += row.getLong("minutes", 0);
            }
        }
    }
}
