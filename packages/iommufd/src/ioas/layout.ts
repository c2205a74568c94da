import { LINE, rwlockWords } from '@faultline/core/sync';

// IOAS: a record of the pool `ioas`, named by the object's IOAS_BODY. Offsets in words; lock names are those of LOCKS.md.
//
//   name       offset  guarded by           meaning
//   DOMAINS    0       atomic               rwlock `domains`
//   IOVA       64      atomic               rwlock `areas`
//   LIST_LOCK  128     atomic               mutex `hwpt list`
//   LIST       129     LIST_LOCK            first HWPT_PAGING (objects)
//   (LINE)
//   ALIGNMENT  160     areas                what IOVAs and lengths are multiples of, bytes
//   NO_LARGE   161     areas                1: OPTION_HUGE_PAGES off
//   FILLED     162     domains              domains that are filled
//   RESERVED   163     areas                first reserved range
//   ALLOWED    164     areas                first allowed range, by start
//   ACCESSES   165     areas                first attached access (access-list.ts)
//   AREAS      166     areas                how many areas there are
//   DOMAIN     168     domains              DOMAIN_SLOTS of SLOT_WORDS: domain, its page sizes (64 bits)
//   HEAD       264     areas                skip list of areas: LEVELS first ones
export const IOAS_DOMAINS = 0;
export const IOAS_IOVA: number = rwlockWords();
export const IOAS_LIST_LOCK: number = 2 * rwlockWords();
export const IOAS_LIST: number = IOAS_LIST_LOCK + 1;
export const IOAS_ALIGNMENT: number = IOAS_LIST_LOCK + LINE;
export const IOAS_NO_LARGE: number = IOAS_ALIGNMENT + 1;
export const IOAS_FILLED: number = IOAS_ALIGNMENT + 2;
export const IOAS_RESERVED: number = IOAS_ALIGNMENT + 3;
export const IOAS_ALLOWED: number = IOAS_ALIGNMENT + 4;
export const IOAS_ACCESSES: number = IOAS_ALIGNMENT + 5;
export const IOAS_AREAS: number = IOAS_ALIGNMENT + 6;
export const IOAS_DOMAIN: number = IOAS_ALIGNMENT + 8;
export const DOMAIN_SLOTS = 32;
export const SLOT_SIZES = 1;
export const SLOT_WORDS = 3;
export const IOAS_HEAD: number = IOAS_DOMAIN + SLOT_WORDS * DOMAIN_SLOTS;
export const LEVELS = 12;
export const IOAS_WORDS = 288;

// Area: IOVAs that are mapped, or about to be. A record of the pool `areas`, in the IOAS's skip list.
//
//   name        offset  guarded by           meaning
//   START       0       constant in the list  first byte, 64 bits
//   LAST        2       constant in the list  last byte, 64 bits
//   BYTE        4       constant              offset of START's byte in the pages, 64 bits
//   PAGES       6       areas                 record; 0 while it is being made or unmapped
//   PROT        7       constant              IOAS_MAP_READABLE | _WRITEABLE
//   ACCESSES    8       areas                 pins by accesses
//   PREVENT     9       areas                 1: it is about to go, no more pins
//   STORAGE     10      pages                 domain that remembers where its pages are, 0 for none
//   SIBLING     11      pages                 next area of the same pages that has STORAGE
//   LEVEL       12      areas                 of its links, 1 to LEVELS
//   NEXT        13      areas                 next area on each level, LEVELS words
//   LOCKS       25      areas                 hardware queues in it: it may not go
export const AREA_START = 0;
export const AREA_LAST = 2;
export const AREA_BYTE = 4;
export const AREA_PAGES = 6;
export const AREA_PROT = 7;
export const AREA_ACCESSES = 8;
export const AREA_PREVENT = 9;
export const AREA_STORAGE = 10;
export const AREA_SIBLING = 11;
export const AREA_LEVEL = 12;
export const AREA_NEXT = 13;
export const AREA_LOCKS: number = AREA_NEXT + LEVELS;
export const AREA_WORDS: number = LINE;

// Pages: memory of a process, or of a file, that areas map. A record of the pool `pages`.
//
//   name      offset  guarded by   meaning
//   REFS      0       atomic       areas, and calls that hold it
//   LOCK      1       atomic       mutex `pages`
//   MM        2       constant     process, 0 for a file
//   FILE      3       constant     number of the mappable file
//   START     4       constant     address, or offset in the file, of page 0: 64 bits, a multiple of a page
//   BYTE      6       constant     byte of page 0 at which the mapping began
//   ACCOUNT   7       constant     ACCOUNT_*: whose limit holds
//   WRITABLE  8       constant     pinned for writing
//   CHARGED   9       LOCK         process that is charged for what is pinned
//   AREAS     10      LOCK         first area that has STORAGE
//   PINS      11      LOCK         first page that an access has pinned (pin records)
//   PINNED    12      LOCK         pages that are pinned, by whatever
export const PAGES_REFS = 0;
export const PAGES_LOCK = 1;
export const PAGES_MM = 2;
export const PAGES_FILE = 3;
export const PAGES_START = 4;
export const PAGES_BYTE = 6;
export const PAGES_ACCOUNT = 7;
export const PAGES_WRITABLE = 8;
export const PAGES_CHARGED = 9;
export const PAGES_AREAS = 10;
export const PAGES_PINS = 11;
export const PAGES_PINNED = 12;
export const PAGES_WORDS = 16;

// Pin: a page that accesses have pinned. A record of the pool `pins`, on its pages' list.
//
//   name      offset  guarded by   meaning
//   NEXT      0       pages
//   COUNT     1       pages        accesses that have it
//   PAGE      2       pages        of the pages, 64 bits
//   PHYSICAL  4       pages        address, 64 bits
export const PIN_NEXT = 0;
export const PIN_COUNT = 1;
export const PIN_PAGE = 2;
export const PIN_PHYSICAL = 4;
export const PIN_WORDS = 6;

// Range: reserved or allowed IOVAs. A record of the pool `ranges`.
//
//   name   offset  guarded by   meaning
//   NEXT   0       areas
//   OWNER  1       areas        of a reserved range: who takes it back
//   START  2       areas        64 bits
//   LAST   4       areas        64 bits
export const RANGE_NEXT = 0;
export const RANGE_OWNER = 1;
export const RANGE_START = 2;
export const RANGE_LAST = 4;
export const RANGE_WORDS = 6;
