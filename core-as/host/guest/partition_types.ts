/**
 * Names of partition types, of those that virtual machines have.
 *
 * Sources: UEFI 2.10, 5.3.3; the Discoverable Partitions Specification of the UAPI group; Microsoft's
 * `PARTITION_INFORMATION_GPT`; the lists of util-linux (pt-mbr-partnames.h, pt-gpt-partnames.h), which also have
 * VMware's.
 *
 * This module is browser compatible.
 */
import type { PartitionType } from "./partition.ts";

/** Type of the entry of a protective MBR that covers a GPT (UEFI 2.10, 5.2.3). */
export const PROTECTIVE_TYPE = 0xee;

const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];

const MBR_NAMES: Readonly<Record<number, string>> = {
  0x01: "FAT12",
  0x04: "FAT16",
  0x05: "extended",
  0x06: "FAT16",
  0x07: "NTFS/exFAT",
  0x0b: "FAT32",
  0x0c: "FAT32",
  0x0e: "FAT16",
  0x0f: "extended",
  0x11: "hidden FAT12",
  0x14: "hidden FAT16",
  0x16: "hidden FAT16",
  0x17: "hidden NTFS",
  0x1b: "hidden FAT32",
  0x1c: "hidden FAT32",
  0x1e: "hidden FAT16",
  0x27: "Windows recovery",
  0x42: "Windows dynamic disk",
  0x82: "Linux swap",
  0x83: "Linux",
  0x85: "Linux extended",
  0x8e: "Linux LVM",
  0xa5: "FreeBSD",
  0xa6: "OpenBSD",
  0xa9: "NetBSD",
  0xaf: "Apple HFS",
  0xbf: "Solaris",
  0xda: "data without file system",
  0xee: "GPT protective",
  0xef: "EFI System",
  0xfb: "VMware VMFS",
  0xfc: "VMware VMKCORE",
  0xfd: "Linux RAID",
};

const GPT_NAMES: Readonly<Record<string, string>> = {
  "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "EFI System",
  "21686148-6449-6E6F-744E-656564454649": "BIOS boot",
  "024DEE41-33E7-11D3-9D69-0008C781F39F": "MBR inside a GPT",
  "BC13C2FF-59E6-4262-A352-B275FD6F7172": "Linux extended boot",

  "E3C9E316-0B5C-4DB8-817D-F92DF00215AE": "Microsoft reserved",
  "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "Microsoft basic data",
  "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC": "Windows recovery",
  "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3": "Microsoft LDM metadata",
  "AF9B60A0-1431-4F62-BC68-3311714A69AD": "Microsoft LDM data",
  "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D": "Microsoft Storage Spaces",

  "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "Linux",
  "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "Linux swap",
  "E6D6D379-F507-44C2-A23C-238F2A3DF928": "Linux LVM",
  "A19D880F-05FC-4D3B-A006-743F0F84911E": "Linux RAID",
  "CA7D7CCB-63ED-4C53-861C-1742536059CC": "Linux LUKS",
  "8DA63339-0007-60C0-C436-083AC8230908": "Linux reserved",
  "44479540-F297-41B2-9AF7-D131D5F0458A": "Linux root (x86)",
  "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709": "Linux root (x86-64)",
  "69DAD710-2CE4-4E3C-B16C-21A1D49ABED3": "Linux root (ARM)",
  "B921B045-1DF0-41C3-AF44-4C6F280D3FAE": "Linux root (ARM-64)",
  "8484680C-9521-48C6-9C11-B0720656F69E": "Linux /usr (x86-64)",
  "B0E01050-EE5F-4390-949A-9101B17104E9": "Linux /usr (ARM-64)",
  "933AC7E1-2EB4-4F13-B844-0E14E2AEF915": "Linux home",
  "3B8F8425-20E0-4F3B-907F-1A25A76F98E8": "Linux server data",
  "4D21B016-B534-45C2-A9FB-5C16E091FD2D": "Linux variable data",
  "7EC6F557-3BC5-4ACA-B293-16EF5DF639D1": "Linux temporary data",

  "AA31E02A-400F-11DB-9590-000C2911D1B8": "VMware VMFS",
  "9D275380-40AD-11DB-BF97-000C2911D1B8": "VMware VMKCORE",
  "9198EFFC-31C0-11DB-8F78-000C2911D1B8": "VMware reserved",
  "381CFCCC-7288-11E0-92EE-000C2911D0B2": "VMware vSAN",

  "83BD6B9D-7F41-11DC-BE0B-001560B84F0F": "FreeBSD boot",
  "516E7CB5-6ECF-11D6-8FF8-00022D09712B": "FreeBSD swap",
  "516E7CB6-6ECF-11D6-8FF8-00022D09712B": "FreeBSD UFS",
  "516E7CBA-6ECF-11D6-8FF8-00022D09712B": "FreeBSD ZFS",
  "824CC7A0-36A8-11E3-890A-952519AD3F61": "OpenBSD data",
  "6A898CC3-1DD2-11B2-99A6-080020736631": "Solaris /usr or ZFS",
  "48465300-0000-11AA-AA11-00306543ECAC": "Apple HFS",
  "7C3457EF-0000-11AA-AA11-00306543ECAC": "Apple APFS",
};

/** The type that one byte of an MBR entry names. */
export function mbrType(id: number): PartitionType {
  return { id: id.toString(16).padStart(2, "0"), name: MBR_NAMES[id] };
}

/** The type that a GUID of a GPT entry names, in capitals. */
export function gptType(id: string): PartitionType {
  return { id, name: Object.hasOwn(GPT_NAMES, id) ? GPT_NAMES[id] : undefined };
}

/** True for the types that hold logical partitions, as Linux takes them (block/partitions/msdos.c). */
export function isExtendedType(id: number): boolean {
  return EXTENDED_TYPES.includes(id);
}
