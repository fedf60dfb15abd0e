Admin pages: settings and lists of records take less room on a telephone.
