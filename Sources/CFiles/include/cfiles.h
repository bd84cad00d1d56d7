// What Swift does not import of the file system.
#ifndef BITPLAN_CFILES_H
#define BITPLAN_CFILES_H

// Gives two files or directories each other's name, both at once; -1 and errno where that cannot be.
int bitplan_exchange(const char *first, const char *second);

#endif
