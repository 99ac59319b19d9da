# What a tool does that takes one sector at a time: seek, read and write 512 bytes for every grain of a COWD delta.
#
#     ruby sector_loop.rb DELTA TARGET
#
# It stands for vmdksync, the old Ruby tool for this job, whose way of moving data it has: no joining of neighbours,
# no check, no flush. Only whole deltas as the generators of fixtures/bench.ts write them are known.

SECTOR = 512
ENTRIES_PER_TABLE = 4096

def words(file, sector, count)
  file.seek(sector * SECTOR)
  file.read(count * 4).unpack("V*")
end

File.open(ARGV[0], "rb") do |delta|
  magic, _version, _flags, capacity, grain, directory, tables = delta.read(28).unpack("a4V6")
  abort "sector_loop: not a COWD delta with grains of one sector" unless magic == "COWD" && grain == 1
  File.open(ARGV[1], "r+b") do |target|
    words(delta, directory, tables).each_with_index do |table, number|
      next if table.zero?
      words(delta, table, ENTRIES_PER_TABLE).each_with_index do |place, entry|
        sector = number * ENTRIES_PER_TABLE + entry
        next if place.zero? || sector >= capacity
        delta.seek(place * SECTOR)
        data = delta.read(SECTOR)
        target.seek(sector * SECTOR)
        target.write(data)
      end
    end
  end
end
