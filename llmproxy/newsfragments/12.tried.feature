Records of usage have the attempts of a request that was sent more than once (`tried`), and the id of an answer that can be fetched later (`answer_id`). Revision 0012 of the database adds them.
